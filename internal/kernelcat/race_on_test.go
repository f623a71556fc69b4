//go:build race

package kernelcat_test

// raceDetector: unpacking the largest packages takes minutes under it.
const raceDetector = true
