package ext4

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
	"strings"
)

// Extended attributes lie behind the fields of the inode as long as there is room, then in one block
// (fs/ext4/xattr.h).
const (
	xattrMagic       = 0xEA020000
	xattrEntry       = 16
	xattrBlockHeader = 32
	xattrEnd         = 4 // zeros behind the last entry
	xattrInodeArea   = inodeSize - inXattrs - 4
	xattrBlockArea   = blockSize - xattrBlockHeader
)

// Indexes that stand for name prefixes.
const (
	xattrUser       = 1
	xattrACLAccess  = 2
	xattrACLDefault = 3
	xattrTrusted    = 4
	xattrSecurity   = 6
	xattrSystem     = 7
)

// xattr is an attribute as it is kept: index and name instead of the full name.
type xattr struct {
	index byte
	name  string
	value []byte
}

func (x *xattr) size() int { return x.entrySize() + (len(x.value)+3)&^3 }

func (x *xattr) entrySize() int { return (xattrEntry + len(x.name) + 3) &^ 3 }

// CheckXattr returns why an attribute cannot be kept whatever the room, or nil: its namespace is unknown
// (only user, trusted, security and the POSIX ACLs exist on disk), its name or its ACL is malformed.
func CheckXattr(name string, value []byte) error {
	if _, reason := parseXattr(name, value); reason != "" {
		return fmt.Errorf("attribute %q: %s", name, reason)
	}
	return nil
}

// parseXattr splits the full name; reason is not empty when that is not possible.
func parseXattr(full string, value []byte) (x xattr, reason string) {
	switch full {
	case "system.posix_acl_access":
		x.index = xattrACLAccess
	case "system.posix_acl_default":
		x.index = xattrACLDefault
	}
	if x.index != 0 {
		disk, ok := aclToDisk(value)
		if !ok {
			return x, "malformed ACL"
		}
		x.value = disk
		return x, ""
	}
	space, name, _ := strings.Cut(full, ".")
	switch space {
	case "user":
		x.index = xattrUser
	case "trusted":
		x.index = xattrTrusted
	case "security":
		x.index = xattrSecurity
	default:
		return x, "unknown namespace"
	}
	if name == "" || len(name) > 255 || strings.IndexByte(name, 0) >= 0 {
		return x, "malformed name"
	}
	x.name, x.value = name, value
	return x, ""
}

// placeXattrs sorts attributes and divides them between inode and block; reason is not empty when one is
// malformed or there are too many.
func placeXattrs(attrs map[string][]byte) (inInode, inBlock []xattr, reason string) {
	list := make([]xattr, 0, len(attrs))
	for name, value := range attrs {
		x, reason := parseXattr(name, value)
		if reason != "" {
			return nil, nil, fmt.Sprintf("attribute %q: %s", name, reason)
		}
		list = append(list, x)
	}
	slices.SortFunc(list, compareXattr)
	inodeRoom, blockRoom := xattrInodeArea-xattrEnd, xattrBlockArea-xattrEnd
	for _, x := range list {
		switch size := x.size(); {
		case size <= inodeRoom:
			inodeRoom -= size
			inInode = append(inInode, x)
		case size <= blockRoom:
			blockRoom -= size
			inBlock = append(inBlock, x)
		default:
			return nil, nil, "extended attributes exceed one block"
		}
	}
	return inInode, inBlock, ""
}

// compareXattr is the order that the kernel searches blocks in.
func compareXattr(a, b xattr) int {
	return cmp.Or(cmp.Compare(a.index, b.index), cmp.Compare(len(a.name), len(b.name)), strings.Compare(a.name, b.name))
}

// putInodeXattrs fills the end of a 256-byte inode.
func putInodeXattrs(raw []byte, list []xattr) {
	if len(list) == 0 {
		return
	}
	binary.LittleEndian.PutUint32(raw[inXattrs:], xattrMagic)
	putXattrs(raw[inXattrs+4:inodeSize], 0, list)
}

// putXattrBlock fills a zeroed block, which will lie at block.
func putXattrBlock(buf []byte, block uint64, list []xattr, seed uint32) {
	le := binary.LittleEndian
	le.PutUint32(buf, xattrMagic)
	le.PutUint32(buf[4:], 1) // references
	le.PutUint32(buf[8:], 1) // blocks
	putXattrs(buf[xattrBlockHeader:], xattrBlockHeader, list)
	var all uint32
	entry := buf[xattrBlockHeader:]
	for i := range list {
		hash := xattrHash(&list[i])
		le.PutUint32(entry[12:], hash)
		entry = entry[list[i].entrySize():]
		all = bits.RotateLeft32(all, 16) ^ hash
	}
	le.PutUint32(buf[12:], all)
	le.PutUint32(buf[16:], xattrBlockSum(buf, block, seed))
}

// putXattrs writes entries from the start of area and values from its end. Offsets count from base bytes
// before the area.
func putXattrs(area []byte, base int, list []xattr) {
	le := binary.LittleEndian
	entry, values := area, len(area)
	for i := range list {
		x := &list[i]
		entry[0], entry[1] = byte(len(x.name)), x.index
		if len(x.value) > 0 {
			values -= (len(x.value) + 3) &^ 3
			copy(area[values:], x.value)
			le.PutUint16(entry[2:], uint16(base+values))
		}
		le.PutUint32(entry[8:], uint32(len(x.value)))
		copy(entry[xattrEntry:], x.name)
		entry = entry[x.entrySize():]
	}
}

// xattrHash is the hash of name and value in an entry of a block (ext4_xattr_hash_entry).
func xattrHash(x *xattr) uint32 {
	var hash uint32
	for i := range len(x.name) {
		hash = bits.RotateLeft32(hash, 5) ^ uint32(x.name[i])
	}
	padded := append(bytes.Clone(x.value), 0, 0, 0)
	for i := 0; i < len(x.value); i += 4 {
		hash = bits.RotateLeft32(hash, 16) ^ binary.LittleEndian.Uint32(padded[i:])
	}
	return hash
}

// xattrBlockSum is the checksum of an attribute block, its own field taken as zero.
func xattrBlockSum(buf []byte, block uint64, seed uint32) uint32 {
	sum := crc32cUint64(seed, block)
	sum = crc32c(sum, buf[:16])
	sum = crc32cUint32(sum, 0)
	return crc32c(sum, buf[20:])
}
