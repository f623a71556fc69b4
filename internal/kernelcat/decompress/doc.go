// Package decompress reads the compressed streams that kernels, kernel
// modules and Debian packages come in. Formats are told by their first bytes.
// Every decoder's memory is bounded, so that a hostile header cannot claim
// the host's.
package decompress
