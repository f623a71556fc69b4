// Package kbuild builds kernels for guests from a source tree, as an ordinary
// user and in a directory that it can go on in: a flavour is an allnoconfig
// kernel with one or more of the fragments of options in config/.
package kbuild
