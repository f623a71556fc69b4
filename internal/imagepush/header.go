package imagepush

import (
	"archive/tar"
	"strings"

	"golang.org/x/sys/unix"

	"banger/internal/ext4"
	"banger/internal/model"
)

// paxXattr begins the pax records of extended attributes (star(1)).
const paxXattr = "SCHILY.xattr."

// memberName is the name of a path in an archive.
func memberName(path string) string {
	if path == "/" {
		return "./"
	}
	return strings.TrimPrefix(path, "/")
}

// Header describes a file as a member of an archive, with its extended
// attributes. Sockets are model.CodeUnsupported.
func Header(path string, n *ext4.Inode) (*tar.Header, error) {
	h := &tar.Header{
		Name: memberName(path), Mode: int64(n.Mode & 0o7777), Uid: int(n.UID), Gid: int(n.GID),
		ModTime: n.MTime, Format: tar.FormatPAX,
	}
	switch n.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		h.Typeflag = tar.TypeDir
		h.Name = strings.TrimSuffix(h.Name, "/") + "/"
	case unix.S_IFLNK:
		h.Typeflag = tar.TypeSymlink
		target, err := n.Readlink()
		if err != nil {
			return nil, err
		}
		h.Linkname = target
	case unix.S_IFCHR:
		h.Typeflag, h.Devmajor, h.Devminor = tar.TypeChar, int64(n.Major), int64(n.Minor)
	case unix.S_IFBLK:
		h.Typeflag, h.Devmajor, h.Devminor = tar.TypeBlock, int64(n.Major), int64(n.Minor)
	case unix.S_IFIFO:
		h.Typeflag = tar.TypeFifo
	case unix.S_IFREG:
		h.Typeflag, h.Size = tar.TypeReg, n.Size
	default:
		return nil, model.Errorf(model.CodeUnsupported, "file type %#o is not known", n.Mode&unix.S_IFMT)
	}
	attrs, err := n.Xattrs()
	if err != nil {
		return nil, err
	}
	for name, value := range attrs {
		if h.PAXRecords == nil {
			h.PAXRecords = map[string]string{}
		}
		h.PAXRecords[paxXattr+name] = string(value)
	}
	return h, nil
}
