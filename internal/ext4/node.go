package ext4

import (
	"fmt"
	"time"
)

// Node is one inode to be. The same *Node under several names is a hard link; directories have one name.
//
// A tree is given to one call of a Writer at a time: the calls keep notes in its nodes.
type Node struct {
	Mode     uint32 // type and 07777, as in stat(2)
	UID, GID uint32
	MTime    time.Time // atime, ctime and crtime become the same; clamped to 1901-12-13..2446-05-10

	// Xattrs holds values by full name ("user.x", "security.capability"), ACLs as getxattr(2) gives them.
	Xattrs map[string][]byte

	Link         string // target of a symbolic link, 1 to 4095 bytes without NUL
	Major, Minor uint32 // of a device, below 2^12 and 2^20
	Body         Body   // of a regular file
	Children     map[string]*Node

	seen  *scanMark // the scan that numbered this node
	ino   uint32
	links uint32
}

// scanMark tells the notes of one scan from those of an earlier one.
type scanMark struct{ _ byte }

func (n *Node) isDir() bool { return n.Mode&typeMask == typeDir }

// check returns the reason why the node alone, without its names, cannot be an inode, or "".
func (n *Node) check() string {
	kind := n.Mode & typeMask
	if n.Mode&^uint32(typeMask|0o7777) != 0 {
		return fmt.Sprintf("mode %#o has unknown bits", n.Mode)
	}
	if kind != typeDir && n.Children != nil {
		return "has children but is not a directory"
	}
	if kind != typeFile && n.Body.Size() != 0 {
		return "has a body but is not a regular file"
	}
	switch kind {
	case typeFile, typeDir, typeFIFO, typeSocket:
		return ""
	case typeLink:
		return checkLink(n.Link)
	case typeChar, typeBlock:
		return checkDevice(n.Major, n.Minor)
	}
	return fmt.Sprintf("mode %#o has no known file type", n.Mode)
}

func checkLink(target string) string {
	if len(target) == 0 || len(target) > maxLinkLen {
		return fmt.Sprintf("link target of %d bytes, 1 to %d are possible", len(target), maxLinkLen)
	}
	for i := range len(target) {
		if target[i] == 0 {
			return "link target contains NUL"
		}
	}
	return ""
}

func checkDevice(major, minor uint32) string {
	if major >= 1<<12 || minor >= 1<<20 {
		return fmt.Sprintf("device %d:%d is out of range", major, minor)
	}
	return ""
}

// checkName returns the reason why name cannot be in a directory, or "".
func checkName(name string) string {
	switch {
	case name == "" || name == "." || name == "..":
		return "reserved name"
	case len(name) > maxNameLen:
		return fmt.Sprintf("name of %d bytes, at most %d are possible", len(name), maxNameLen)
	}
	for i := range len(name) {
		if name[i] == 0 || name[i] == '/' {
			return "name contains a slash or NUL"
		}
	}
	return ""
}

// encodeDevice returns the words that the kernel keeps a device number in: the old form when it fits.
func encodeDevice(major, minor uint32) (old, wide uint32) {
	if major < 256 && minor < 256 {
		return major<<8 | minor, 0
	}
	return 0, minor&0xFF | major<<8 | minor&^0xFF<<12
}

func decodeDevice(old, wide uint32) (major, minor uint32) {
	if old != 0 {
		return old >> 8 & 0xFF, old & 0xFF
	}
	return wide >> 8 & 0xFFF, wide&0xFF | wide>>12&^0xFF
}
