package imagepull

import (
	"archive/tar"
	"encoding/base64"
	"math"
	"net/url"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/ext4"
	"banger/internal/model"
)

// What the inode of a Linux filesystem can hold.
const (
	maxID    = math.MaxUint32 - 1 // the last number means "none"
	maxMajor = 1<<12 - 1          // include/linux/kdev_t.h
	maxMinor = 1<<20 - 1
	maxTime  = 1<<34 - 1<<31 - 1 // ext4 with 256-byte inodes: 2446-05-10
	minTime  = -1 << 31          // 1901-12-13
)

// typeBits are the types of members that have a node of their own.
var typeBits = map[byte]uint32{
	tar.TypeReg:       unix.S_IFREG,
	tar.TypeCont:      unix.S_IFREG,
	tar.TypeGNUSparse: unix.S_IFREG,
	tar.TypeDir:       unix.S_IFDIR,
	tar.TypeSymlink:   unix.S_IFLNK,
	tar.TypeChar:      unix.S_IFCHR,
	tar.TypeBlock:     unix.S_IFBLK,
	tar.TypeFifo:      unix.S_IFIFO,
}

// newNode returns the inode that a member describes, without content.
func newNode(h *tar.Header, limits Limits, skipped *skips) (*ext4.Node, error) {
	format, ok := typeBits[h.Typeflag]
	if !ok {
		return nil, model.Errorf(model.CodeUnsupported, "%q has the unknown type %q", h.Name, h.Typeflag)
	}
	if !validID(h.Uid) || !validID(h.Gid) {
		return nil, model.Errorf(model.CodeIntegrity, "%q has the owner %d:%d, which is out of range", h.Name, h.Uid, h.Gid)
	}
	n := &ext4.Node{
		Mode:  format | uint32(h.Mode&0o7777),
		UID:   uint32(h.Uid),
		GID:   uint32(h.Gid),
		MTime: clampTime(h.ModTime),
	}
	switch format {
	case unix.S_IFLNK:
		if h.Linkname == "" || len(h.Linkname) > maxLinkBytes {
			return nil, model.Errorf(model.CodeIntegrity, "symbolic link %q has a target of %d bytes", h.Name, len(h.Linkname))
		}
		n.Mode, n.Link = format|0o777, h.Linkname
	case unix.S_IFCHR, unix.S_IFBLK:
		if h.Devmajor < 0 || h.Devmajor > maxMajor || h.Devminor < 0 || h.Devminor > maxMinor {
			return nil, model.Errorf(model.CodeIntegrity, "device %q has the number %d:%d, which is out of range", h.Name, h.Devmajor, h.Devminor)
		}
		n.Major, n.Minor = uint32(h.Devmajor), uint32(h.Devminor)
	}
	var err error
	n.Xattrs, err = xattrs(h, format, limits, skipped)
	return n, err
}

// validID keeps owners exact: numbers that do not fit must not wrap to root.
func validID(id int) bool { return id >= 0 && int64(id) <= maxID }

func clampTime(t time.Time) time.Time {
	switch s := t.Unix(); {
	case s < minTime:
		return time.Unix(minTime, 0).UTC()
	case s > maxTime:
		return time.Unix(maxTime, 0).UTC()
	}
	return t.UTC()
}

// Prefixes of PAX records that hold extended attributes: star's, with the
// value as it is, and libarchive's, with the value in base64.
const (
	paxXattr           = "SCHILY.xattr."
	paxLibarchiveXattr = "LIBARCHIVE.xattr."
)

// xattrs returns the extended attributes of a member that an image may set.
func xattrs(h *tar.Header, format uint32, limits Limits, skipped *skips) (map[string][]byte, error) {
	var found map[string][]byte
	size := 0
	for record, value := range h.PAXRecords {
		name, content, ok := xattrOf(record, value)
		if !ok {
			continue
		}
		if size += len(name) + len(content); size > limits.XattrBytes {
			return nil, limitError("xattr_bytes", limits.XattrBytes, "the extended attributes of %q are too large", h.Name)
		}
		if reason := refusedXattr(name, content, format); reason != "" {
			skipped.add(reason)
			continue
		}
		if _, twice := found[name]; twice && strings.HasPrefix(record, paxLibarchiveXattr) {
			continue // star's form is the exact one
		}
		if found == nil {
			found = map[string][]byte{}
		}
		found[name] = content
	}
	return found, nil
}

// xattrOf decodes a PAX record.
func xattrOf(record, value string) (name string, content []byte, ok bool) {
	if name, ok = strings.CutPrefix(record, paxXattr); ok {
		return name, []byte(value), name != ""
	}
	if name, ok = strings.CutPrefix(record, paxLibarchiveXattr); !ok {
		return "", nil, false
	}
	name, err := url.PathUnescape(name)
	if err != nil || name == "" {
		return "", nil, false
	}
	content, err = base64.RawStdEncoding.DecodeString(strings.TrimRight(value, "="))
	return name, content, err == nil
}

// refusedXattr returns why an attribute is left out, or "".
func refusedXattr(name string, value []byte, format uint32) string {
	switch {
	case name == "security.selinux":
		return "SELinux labels, which are the guest's to give"
	case strings.HasPrefix(name, "trusted.overlay.") || strings.HasPrefix(name, "user.overlay."):
		return "overlay markers, which would fool overlays in the guest"
	case strings.HasPrefix(name, "user.") && format != unix.S_IFREG && format != unix.S_IFDIR:
		return "user attributes on what is neither file nor directory"
	case ext4.CheckXattr(name, value) != nil:
		return "extended attributes that ext4 cannot keep"
	}
	return ""
}
