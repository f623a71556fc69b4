// Package kerneltest makes small files of the formats that kernels come in,
// for the tests of those who read them: ELF kernels, bzImages, modules and
// Debian packages. Nothing that it makes runs.
package kerneltest
