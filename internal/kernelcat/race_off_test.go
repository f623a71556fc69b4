//go:build !race

package kernelcat_test

const raceDetector = false
