package ext4_test

import (
	"bytes"
	"errors"
	"testing"

	"banger/internal/ext4"
)

// FuzzReader changes a few bytes of a sound image and reads all of it: the reader may refuse, but must
// neither panic nor run on.
func FuzzReader(f *testing.F) {
	image := unchecked(metadataImage(f))
	f.Add(uint32(1024), []byte{0xFF}, uint32(0), []byte{})
	f.Add(uint32(1024+0x18), []byte{7}, uint32(1024+0x58), []byte{0, 1})
	f.Add(uint32(1024+0x20), []byte{0, 0, 0, 0}, uint32(1024+0x64), []byte{0x6B, 0})
	f.Add(uint32(4096), []byte{0xFF, 0xFF, 0xFF}, uint32(8192), []byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, at uint32, bytes1 []byte, at2 uint32, bytes2 []byte) {
		changed := &changedImage{sound: image, changes: []change{
			{int64(at) % int64(len(image)), bytes1}, {int64(at2) % int64(len(image)), bytes2},
		}}
		if err := readEverything(t, changed); err != nil &&
			!errors.Is(err, ext4.ErrCorrupt) && !errors.Is(err, ext4.ErrUnsupported) {
			t.Fatal(err)
		}
	})
}

// unchecked returns a copy of an image without checksums (metadata_csum cleared), so that changes get past them.
func unchecked(image []byte) []byte {
	changed := bytes.Clone(image)
	changed[1024+0x65] &^= 0x04
	return changed
}

// changedImage is an image with other bytes in some places.
type changedImage struct {
	sound   []byte
	changes []change
}

type change struct {
	at    int64
	bytes []byte
}

func (c *changedImage) ReadAt(p []byte, off int64) (int, error) {
	n, err := bytes.NewReader(c.sound).ReadAt(p, off)
	for _, change := range c.changes {
		if from := change.at - off; from >= 0 && from < int64(n) {
			copy(p[from:n], change.bytes)
		} else if from < 0 && -from < int64(len(change.bytes)) {
			copy(p[:n], change.bytes[-from:])
		}
	}
	return n, err
}
