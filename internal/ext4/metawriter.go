package ext4

import (
	"errors"
	"fmt"
)

// metaWriter hands out the blocks of the layout's meta area one after the other and writes them in long runs.
type metaWriter struct {
	f      File
	used   bitmap
	cursor uint64 // next block, perhaps a copy's
	end    uint64
	buf    []byte // waits to be written at block at
	at     uint64
}

var errMetaFull = errors.New("internal error: the tree takes more metadata than was planned")

// next returns a zeroed block, to be filled before the next call of any method.
func (m *metaWriter) next() (block uint64, buf []byte, err error) {
	block = skipCopy(m.cursor)
	if block >= m.end {
		return 0, nil, errMetaFull
	}
	if len(m.buf) == cap(m.buf) || m.at+uint64(len(m.buf)/blockSize) != block {
		if err := m.flush(); err != nil {
			return 0, nil, err
		}
		m.at = block
	}
	m.cursor = block + 1
	m.used.set(block, 1)
	n := len(m.buf)
	m.buf = m.buf[:n+blockSize]
	clear(m.buf[n:])
	return block, m.buf[n:], nil
}

// flush writes what is buffered.
func (m *metaWriter) flush() error {
	if len(m.buf) > 0 {
		if _, err := m.f.WriteAt(m.buf, int64(m.at)*blockSize); err != nil {
			return fmt.Errorf("writing directories: %w", err)
		}
	}
	m.buf = m.buf[:0]
	return nil
}

// tableWriter writes inodes, in the order of their numbers, to the inode tables.
type tableWriter struct {
	f     File
	l     *layout
	buf   []byte
	first uint32 // inode number of the first in buf
}

// slot returns the zeroed place of an inode, to be filled before the next call.
func (t *tableWriter) slot(ino uint32) ([]byte, error) {
	if len(t.buf) == cap(t.buf) || (ino-1)%t.l.inodesPerGroup == 0 {
		if err := t.flush(); err != nil {
			return nil, err
		}
		t.first = ino
	}
	n := len(t.buf)
	t.buf = t.buf[:n+inodeSize]
	clear(t.buf[n:])
	return t.buf[n:], nil
}

func (t *tableWriter) flush() error {
	if len(t.buf) == 0 {
		return nil
	}
	group := (t.first - 1) / t.l.inodesPerGroup
	index := (t.first - 1) % t.l.inodesPerGroup
	offset := int64(t.l.inodeTables[group])*blockSize + int64(index)*inodeSize
	if _, err := t.f.WriteAt(t.buf, offset); err != nil {
		return fmt.Errorf("writing inodes: %w", err)
	}
	t.buf = t.buf[:0]
	return nil
}
