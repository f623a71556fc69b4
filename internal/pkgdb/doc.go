// Package pkgdb reads which packages are installed in a root filesystem from
// the databases of dpkg, apk and rpm, without running anything of it.
package pkgdb
