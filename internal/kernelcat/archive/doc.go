// Package archive reads the regular files of what kernels are delivered in:
// tar archives, and the packages of Debian (ar of tars), Alpine (concatenated
// gzip tars) and RPM distributions (cpio). Formats are told by their first
// bytes. No name leads outside, and everything is bounded.
package archive
