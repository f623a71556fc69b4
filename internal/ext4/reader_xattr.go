package ext4

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// Xattrs returns the extended attributes by full name, ACLs as getxattr(2) gives them.
func (n *Inode) Xattrs() (map[string][]byte, error) {
	attrs := map[string][]byte{}
	if err := n.inodeXattrs(attrs); err != nil {
		return nil, fmt.Errorf("inode %d: extended attributes: %w", n.Ino, err)
	}
	if n.in.fileACL != 0 {
		if err := n.blockXattrs(attrs); err != nil {
			return nil, fmt.Errorf("inode %d: extended attributes: %w", n.Ino, err)
		}
	}
	return attrs, nil
}

func (n *Inode) inodeXattrs(attrs map[string][]byte) error {
	start := inBaseSize + int(n.in.extraSize)
	if n.in.extraSize == 0 || start+4 > len(n.raw) || binary.LittleEndian.Uint32(n.raw[start:]) != xattrMagic {
		return nil
	}
	area := n.raw[start+4:]
	return readXattrs(attrs, area, area)
}

func (n *Inode) blockXattrs(attrs map[string][]byte) error {
	buf, err := n.fs.readBlock(n.in.fileACL)
	if err != nil {
		return err
	}
	le := binary.LittleEndian
	if le.Uint32(buf) != xattrMagic || le.Uint32(buf[8:]) != 1 {
		return fmt.Errorf("header of block %d: %w", n.in.fileACL, ErrCorrupt)
	}
	if n.fs.sb.checksummed() && le.Uint32(buf[16:]) != xattrBlockSum(buf, n.in.fileACL, n.fs.seed) {
		return fmt.Errorf("checksum of block %d: %w", n.in.fileACL, ErrCorrupt)
	}
	return readXattrs(attrs, buf[xattrBlockHeader:], buf)
}

// readXattrs reads entries up to four zeros or the end; value offsets count from the start of values.
func readXattrs(attrs map[string][]byte, entries, values []byte) error {
	le := binary.LittleEndian
	for len(entries) >= 4 && le.Uint32(entries) != 0 {
		if len(entries) < xattrEntry || len(entries) < xattrEntry+int(entries[0]) {
			return fmt.Errorf("entry: %w", ErrCorrupt)
		}
		nameLen, index := int(entries[0]), entries[1]
		offset, size := int(le.Uint16(entries[2:])), uint64(le.Uint32(entries[8:]))
		if le.Uint32(entries[4:]) != 0 {
			return fmt.Errorf("value in an inode of its own: %w", ErrUnsupported)
		}
		if offset > len(values) || size > uint64(len(values)-offset) {
			return fmt.Errorf("value: %w", ErrCorrupt)
		}
		name := string(entries[xattrEntry : xattrEntry+nameLen])
		if err := addXattr(attrs, index, name, values[offset:offset+int(size)]); err != nil {
			return err
		}
		entries = entries[min(len(entries), (xattrEntry+nameLen+3)&^3):]
	}
	return nil
}

// addXattr enters one attribute under its full name.
func addXattr(attrs map[string][]byte, index byte, name string, value []byte) error {
	value = bytes.Clone(value)
	switch index {
	case xattrUser:
		name = "user." + name
	case xattrTrusted:
		name = "trusted." + name
	case xattrSecurity:
		name = "security." + name
	case xattrSystem:
		name = "system." + name
	case xattrACLAccess, xattrACLDefault:
		acl, ok := aclFromDisk(value)
		if !ok {
			return fmt.Errorf("ACL: %w", ErrCorrupt)
		}
		name, value = "system.posix_acl_access", acl
		if index == xattrACLDefault {
			name = "system.posix_acl_default"
		}
	default:
		return fmt.Errorf("attribute namespace %d: %w", index, ErrUnsupported)
	}
	attrs[name] = value
	return nil
}
