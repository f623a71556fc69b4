package ext4

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"time"
)

// Info is what stat(2) tells of a file.
type Info struct {
	Ino                         uint32
	Mode                        uint32 // type and 07777
	UID, GID                    uint32
	Size                        int64
	Links                       uint32 // 1 for a directory of more than 65,000 links
	Sectors                     int64  // on disk, of 512 bytes
	ATime, CTime, MTime, CRTime time.Time
	Major, Minor                uint32 // of a device
}

// IsDir reports whether the file is a directory.
func (i *Info) IsDir() bool { return i.Mode&typeMask == typeDir }

// Inode is a file of an FS.
type Inode struct {
	Info
	fs  *FS
	in  inode
	raw []byte
}

// inode reads and checks one inode that a directory or the format refers to.
func (fs *FS) inode(ino uint32) (*Inode, error) {
	if ino == 0 || ino > fs.sb.InodesCount {
		return nil, fmt.Errorf("inode %d does not exist: %w", ino, ErrCorrupt)
	}
	size := fs.sb.inodeSize()
	group, index := (ino-1)/fs.sb.InodesPerGroup, (ino-1)%fs.sb.InodesPerGroup
	raw := make([]byte, size)
	if err := fs.readBlocks(raw, fs.tables[group], int64(index)*size); err != nil {
		return nil, fmt.Errorf("inode %d: %w", ino, err)
	}
	if fs.sb.checksummed() && !inodeSumOK(raw, fs.seed, ino) {
		return nil, fmt.Errorf("inode %d: checksum: %w", ino, ErrCorrupt)
	}
	n := &Inode{fs: fs, in: decodeInode(raw), raw: raw}
	if n.in.links == 0 || n.in.mode&typeMask == 0 {
		return nil, fmt.Errorf("inode %d is in use but deleted: %w", ino, ErrCorrupt)
	}
	if n.in.size > math.MaxInt64 {
		return nil, fmt.Errorf("inode %d: size: %w", ino, ErrCorrupt)
	}
	n.Info = n.in.info(ino)
	return n, nil
}

func (in *inode) info(ino uint32) Info {
	i := Info{
		Ino: ino, Mode: in.mode, UID: in.uid, GID: in.gid,
		Size: int64(in.size), Links: in.links, Sectors: int64(in.sectors),
		ATime: in.atime.time(), CTime: in.ctime.time(), MTime: in.mtime.time(), CRTime: in.crtim.time(),
	}
	if kind := in.mode & typeMask; kind == typeChar || kind == typeBlock {
		le := binary.LittleEndian
		i.Major, i.Minor = decodeDevice(le.Uint32(in.block[:]), le.Uint32(in.block[4:]))
	}
	return i
}

// Open returns the content of a regular file.
func (n *Inode) Open() (*io.SectionReader, error) {
	if n.Mode&typeMask != typeFile {
		return nil, fmt.Errorf("inode %d is not a regular file", n.Ino)
	}
	return io.NewSectionReader(content{n}, 0, n.Size), nil
}

// Readlink returns the target of a symbolic link.
func (n *Inode) Readlink() (string, error) {
	if n.Mode&typeMask != typeLink {
		return "", fmt.Errorf("inode %d is not a symbolic link", n.Ino)
	}
	if n.Size > n.fs.blockSize {
		return "", fmt.Errorf("inode %d: link target of %d bytes: %w", n.Ino, n.Size, ErrCorrupt)
	}
	if n.Size <= maxFastLink && n.in.flags&inodeFlagExtents == 0 {
		return string(n.in.block[:n.Size]), nil
	}
	target := make([]byte, n.Size)
	if _, err := (content{n}).ReadAt(target, 0); err != nil {
		return "", err
	}
	return string(target), nil
}

// content is an inode's data as an io.ReaderAt. It does not know the end: a SectionReader does.
type content struct{ n *Inode }

func (c content) ReadAt(p []byte, off int64) (int, error) {
	fs := c.n.fs
	done := 0
	for done < len(p) {
		at := off + int64(done)
		within := at % fs.blockSize
		start, count, err := c.n.mapBlock(uint64(at / fs.blockSize))
		if err != nil {
			return done, fmt.Errorf("inode %d: %w", c.n.Ino, err)
		}
		part := p[done:]
		part = part[:min(uint64(len(part)), count*uint64(fs.blockSize)-uint64(within))]
		if start == 0 {
			clear(part)
		} else if err := fs.readBlocks(part, start, within); err != nil {
			return done, fmt.Errorf("inode %d: %w", c.n.Ino, err)
		}
		done += len(part)
	}
	return done, nil
}
