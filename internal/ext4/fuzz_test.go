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
	image := metadataImage(f)
	f.Add(uint32(1024), []byte{0xFF}, uint32(0), []byte{})
	f.Add(uint32(1024+0x18), []byte{7}, uint32(1024+0x58), []byte{0, 1})
	f.Add(uint32(1024+0x20), []byte{0, 0, 0, 0}, uint32(1024+0x64), []byte{0x6B, 0})
	f.Add(uint32(4096), []byte{0xFF, 0xFF, 0xFF}, uint32(8192), []byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, at uint32, change []byte, at2 uint32, change2 []byte) {
		changed := unchecked(image)
		copy(changed[at%uint32(len(changed)):], change)
		copy(changed[at2%uint32(len(changed)):], change2)
		if err := readEverything(t, bytes.NewReader(changed)); err != nil &&
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
