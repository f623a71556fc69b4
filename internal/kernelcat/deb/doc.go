// Package deb reads the files of a Debian binary package, as deb(5) describes
// it: an ar archive of debian-binary, control.tar and data.tar. A package is
// untrusted: names that lead outside, oversized members and truncation are
// errors.
package deb
