package ext4

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// DirEntry is a name in a directory.
type DirEntry struct {
	Name string
	Ino  uint32
	Type uint32 // S_IFMT bits, 0 if the filesystem does not keep them in directories
}

// Limits of one directory, which bound memory and time.
const (
	maxDirEntries = 8 << 20
	maxDirBlocks  = 260_000 // a hash tree of two levels has no more; 1 GiB
)

// ReadDir returns the entries of a directory by name, without "." and "..".
func (n *Inode) ReadDir() ([]DirEntry, error) {
	var list []DirEntry
	err := n.eachEntry(func(e DirEntry) error {
		if len(list) == maxDirEntries {
			return fmt.Errorf("more than %d entries: %w", maxDirEntries, ErrUnsupported)
		}
		list = append(list, e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b DirEntry) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(list); i++ {
		if list[i].Name == list[i-1].Name {
			return nil, fmt.Errorf("directory inode %d: %q is twice in it: %w", n.Ino, list[i].Name, ErrCorrupt)
		}
	}
	return list, nil
}

var errFound = errors.New("found")

// find returns the inode number of a name; ok is false when there is none.
func (n *Inode) find(name string) (ino uint32, ok bool, err error) {
	err = n.eachEntry(func(e DirEntry) error {
		if e.Name == name {
			ino = e.Ino
			return errFound
		}
		return nil
	})
	if errors.Is(err, errFound) {
		return ino, true, nil
	}
	return 0, false, err
}

// eachEntry calls f for each entry in the order of the disk, until f fails.
func (n *Inode) eachEntry(f func(DirEntry) error) error {
	size := uint64(n.fs.blockSize)
	blocks := uint64(n.Size) / size
	if !n.IsDir() {
		return fmt.Errorf("inode %d: %w", n.Ino, errNotDir)
	}
	if uint64(n.Size)%size != 0 || blocks > min(n.fs.blocks, maxDirBlocks) || blocks == 0 {
		return fmt.Errorf("directory inode %d: size %d: %w", n.Ino, n.Size, ErrCorrupt)
	}
	buf := make([]byte, size)
	for i := range blocks {
		err := n.readDirBlock(buf, i)
		if err == nil {
			err = eachDirent(buf, i == 0, f)
		}
		if errors.Is(err, errFound) {
			return err
		}
		if err != nil {
			return fmt.Errorf("directory inode %d, block %d: %w", n.Ino, i, err)
		}
	}
	return nil
}

// readDirBlock reads a block of a directory and checks its checksum.
func (n *Inode) readDirBlock(buf []byte, i uint64) error {
	block, _, err := n.mapBlock(i)
	if err != nil {
		return err
	}
	if block == 0 {
		return fmt.Errorf("hole in a directory: %w", ErrCorrupt)
	}
	if err := n.fs.readBlocks(buf, block, 0); err != nil {
		return err
	}
	if n.fs.sb.checksummed() && !n.dirSumOK(buf, i) {
		return fmt.Errorf("checksum: %w", ErrCorrupt)
	}
	return nil
}

// dirSumOK verifies a block of either kind: an inner one of a hash tree, or one of entries.
func (n *Inode) dirSumOK(buf []byte, i uint64) bool {
	le := binary.LittleEndian
	if n.in.flags&inodeFlagIndex != 0 {
		if i == 0 {
			return dxSumOK(buf, dxRootEntries, n.seed())
		}
		if le.Uint32(buf) == 0 && int(le.Uint16(buf[4:])) == len(buf) {
			return dxSumOK(buf, dxNodeEntries, n.seed())
		}
	}
	tail := buf[len(buf)-direntTail:]
	return le.Uint32(tail) == 0 && le.Uint16(tail[4:]) == direntTail && tail[7] == tailKind &&
		le.Uint32(tail[8:]) == crc32c(n.seed(), buf[:len(buf)-direntTail])
}

func dxSumOK(buf []byte, offset int, seed uint32) bool {
	le := binary.LittleEndian
	limit, count := int(le.Uint16(buf[offset:])), int(le.Uint16(buf[offset+2:]))
	tail := offset + dxEntrySize*limit
	if count > limit || tail > len(buf)-dxTailSize {
		return false
	}
	return le.Uint32(buf[tail+4:]) == dxSum(buf[:offset+dxEntrySize*count], buf[tail:], seed)
}

// eachDirent calls f for the live entries of a block. Inner blocks of a hash tree look empty here.
func eachDirent(buf []byte, first bool, f func(DirEntry) error) error {
	le := binary.LittleEndian
	dots := 0 // entries that may be "." and "..": the first two of the directory
	if first {
		dots = 2
	}
	for at := 0; at < len(buf); dots-- {
		if len(buf)-at < direntHeader {
			return fmt.Errorf("entry at %d: %w", at, ErrCorrupt)
		}
		p := buf[at:]
		size, nameLen := int(le.Uint16(p[4:])), int(p[6])
		if size%4 != 0 || size < direntSize(nameLen) || size > len(p) {
			return fmt.Errorf("entry at %d: %w", at, ErrCorrupt)
		}
		at += size
		if le.Uint32(p) == 0 {
			continue
		}
		name := string(p[direntHeader : direntHeader+nameLen])
		if dots > 0 && (name == "." || name == "..") {
			continue
		}
		if reason := checkName(name); reason != "" {
			return fmt.Errorf("entry %q: %s: %w", name, reason, ErrCorrupt)
		}
		if err := f(DirEntry{Name: name, Ino: le.Uint32(p), Type: modeOfKind(p[7])}); err != nil {
			return err
		}
	}
	return nil
}
