package imagepush

import (
	"strings"

	"golang.org/x/sys/unix"

	"banger/internal/ext4"
	"banger/internal/model"
)

// whiteoutPrefix begins the names that hide those of lower layers (image-spec,
// layer.md, "Whiteouts").
const whiteoutPrefix = ".wh."

// What a layer cannot hold.
const (
	skippedSocket   = "sockets, which archives cannot hold"
	skippedOverlay  = "character devices 0:0, which would hide files in overlays"
	skippedWhiteout = "files whose names begin with .wh., which would hide others"
)

// hidesOthers tells whether a name, or that of a directory above it, would be
// read as a whiteout.
func hidesOthers(name string) bool { return strings.Contains(name, "/"+whiteoutPrefix) }

// leftOut returns why a file is in no layer whatever its name, or "".
func leftOut(kind model.FileType, major, minor uint32) string {
	switch {
	case kind == model.TypeSocket:
		return skippedSocket
	case kind == model.TypeChar && major == 0 && minor == 0:
		return skippedOverlay
	}
	return ""
}

// SkipReason returns why a file of a filesystem is in no layer, or "".
func SkipReason(name string, n *ext4.Inode) string {
	if hidesOthers(name) {
		return skippedWhiteout
	}
	switch n.Mode & unix.S_IFMT {
	case unix.S_IFSOCK:
		return leftOut(model.TypeSocket, 0, 0)
	case unix.S_IFCHR:
		return leftOut(model.TypeChar, n.Major, n.Minor)
	}
	return ""
}
