package disk

import (
	"encoding/binary"
	"fmt"
	"os"
)

// Geometry of the overlays written here (QEMU, docs/interop/qcow2.txt).
const (
	clusterBits   = 16
	clusterSize   = 1 << clusterBits
	magic         = "QFI\xfb"
	headerLength  = 104
	l1Offset      = 3 * clusterSize                   // behind header, refcount table and block
	refcountOrder = 4                                 // 16-bit reference counts
	perL1Entry    = clusterSize / 8 * clusterSize     // bytes that an L1 entry covers
	perRefBlock   = clusterSize / 2 * clusterSize     // bytes of the file that a refcount block covers
	maxBacking    = 1023                              // bytes of the backing file's name
	maxDisk       = perL1Entry * (perRefBlock / 1024) // far beyond ext4's limits here
	backingFormat = 0xe2792aca                        // header extension: name of the backing format
)

// writeOverlay writes an empty qcow2 of version 3 above the raw file base:
// header, refcount table, one refcount block, and an L1 table of zeros, each
// in clusters of their own.
func writeOverlay(f *os.File, base string, size int64) error {
	if len(base) > maxBacking {
		return fmt.Errorf("the path of the base disk has %d bytes, a qcow2 holds %d", len(base), maxBacking)
	}
	if size > maxDisk {
		return fmt.Errorf("a disk of %d bytes is too large for an overlay", size)
	}
	l1Clusters := clustersOf(l1Entries(size))
	meta := make([]byte, l1Offset)
	writeHeader(meta, base, size)
	binary.BigEndian.PutUint64(meta[clusterSize:], 2*clusterSize)
	for i := range 3 + l1Clusters {
		binary.BigEndian.PutUint16(meta[2*clusterSize+2*i:], 1)
	}
	if _, err := f.WriteAt(meta, 0); err != nil {
		return err
	}
	return f.Truncate(l1Offset + l1Clusters*clusterSize)
}

// l1Entries is how many entries of the L1 table a disk of size needs.
func l1Entries(size int64) int64 { return (size + perL1Entry - 1) / perL1Entry }

// clustersOf is how many clusters a table of 64-bit entries fills.
func clustersOf(entries int64) int64 { return (entries*8 + clusterSize - 1) / clusterSize }

func writeHeader(h []byte, base string, size int64) {
	be := binary.BigEndian
	const extension = headerLength
	const name = extension + 8 + 8 + 8 // the format's extension, and the end of extensions
	copy(h, magic)
	be.PutUint32(h[4:], 3) // version
	be.PutUint64(h[8:], name)
	be.PutUint32(h[16:], uint32(len(base)))
	be.PutUint32(h[20:], clusterBits)
	be.PutUint64(h[24:], uint64(size))
	// The table is as long as its clusters: QEMU moves one that must become
	// longer, and then the disk could not be grown here any more.
	be.PutUint32(h[36:], uint32(clustersOf(l1Entries(size))*clusterSize/8))
	be.PutUint64(h[40:], l1Offset)
	be.PutUint64(h[48:], clusterSize) // refcount table
	be.PutUint32(h[56:], 1)           // clusters of it
	be.PutUint32(h[96:], refcountOrder)
	be.PutUint32(h[100:], headerLength)
	be.PutUint32(h[extension:], backingFormat)
	be.PutUint32(h[extension+4:], uint32(len("raw")))
	copy(h[extension+8:], "raw")
	copy(h[name:], base)
}
