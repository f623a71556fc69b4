// Package model holds the nouns of banger: images, kernels, VMs, operations,
// progress, the rules for their names, and the one error type that users see.
// It imports nothing of the project and does no input or output.
package model
