package ext4

import "encoding/binary"

const (
	direntHeader = 8
	direntTail   = 12 // a dummy entry that holds the block's checksum
	direntRoom   = blockSize - direntTail
	tailKind     = 0xDE
)

// direntSize returns how many bytes the entry of a name takes.
func direntSize(nameLen int) int { return (direntHeader + nameLen + 3) &^ 3 }

// direntKind returns the file type that an entry carries.
func direntKind(mode uint32) byte {
	switch mode & typeMask {
	case typeFile:
		return 1
	case typeDir:
		return 2
	case typeChar:
		return 3
	case typeBlock:
		return 4
	case typeFIFO:
		return 5
	case typeSocket:
		return 6
	case typeLink:
		return 7
	}
	return 0
}

// modeOfKind is the inverse of direntKind; 0 for an unknown type.
func modeOfKind(kind byte) uint32 {
	modes := [...]uint32{0, typeFile, typeDir, typeChar, typeBlock, typeFIFO, typeSocket, typeLink}
	if int(kind) < len(modes) {
		return modes[kind]
	}
	return 0
}

// direntBlock fills one zeroed block of a directory.
type direntBlock struct {
	buf       []byte
	used      int // bytes
	lastEntry int // offset
}

// add appends an entry; the caller knows that it fits.
func (b *direntBlock) add(ino uint32, name string, kind byte) {
	p := b.buf[b.used:]
	size := direntSize(len(name))
	putDirent(p, ino, size, name, kind)
	b.lastEntry = b.used
	b.used += size
}

func putDirent(p []byte, ino uint32, size int, name string, kind byte) {
	binary.LittleEndian.PutUint32(p, ino)
	binary.LittleEndian.PutUint16(p[4:], uint16(size))
	p[6], p[7] = byte(len(name)), kind
	copy(p[direntHeader:], name)
}

// seal stretches the last entry to the end of the block and adds the checksum.
func (b *direntBlock) seal(seed uint32) {
	binary.LittleEndian.PutUint16(b.buf[b.lastEntry+4:], uint16(direntRoom-b.lastEntry))
	putDirent(b.buf[direntRoom:], 0, direntTail, "", tailKind)
	binary.LittleEndian.PutUint32(b.buf[direntRoom+8:], crc32c(seed, b.buf[:direntRoom]))
}
