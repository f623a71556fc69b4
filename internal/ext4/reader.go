package ext4

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// FS is a filesystem in an image that is being read. Its methods may be used from many goroutines.
type FS struct {
	r         io.ReaderAt
	sb        *superblock
	seed      uint32
	blockSize int64
	blocks    uint64
	tables    []uint64 // first block of the inode table, by group
}

// Superblock is what a filesystem says of itself.
type Superblock struct {
	UUID        [16]byte
	Label       string
	BlockSize   int64 // bytes
	Blocks      int64
	FreeBlocks  int64
	Inodes      int64
	FreeInodes  int64
	MaxBlocks   int64 // reachable by growing without a change of format
	Created     time.Time
	Written     time.Time
	Compat      uint32 // feature words, EXT4_FEATURE_*
	Incompat    uint32
	ROCompat    uint32
	Checksummed bool // metadata_csum

	// Clean says that the filesystem was unmounted well or never mounted. If NeedsRecovery is set, the
	// journal holds changes that this reader does not see.
	Clean, NeedsRecovery bool
}

// Limits of what the reader takes.
const (
	maxGroups       = 1 << 18
	maxLogBlockSize = 5 // 32 KiB
)

// Open reads and checks the superblock and the group descriptors of the image in r. Errors about what is
// in the image wrap ErrCorrupt or ErrUnsupported.
func Open(r io.ReaderAt) (*FS, error) {
	raw := make([]byte, superSize)
	if _, err := r.ReadAt(raw, superOffset); err != nil {
		return nil, fmt.Errorf("reading the superblock: %w", readError(err))
	}
	sb, err := decodeSuperblock(raw)
	if err != nil {
		return nil, err
	}
	if err := sb.check(); err != nil {
		return nil, fmt.Errorf("superblock: %w", err)
	}
	fs := &FS{r: r, sb: sb, seed: sb.seed(), blockSize: 1024 << sb.LogBlockSize, blocks: sb.blocks()}
	if err := fs.readDescriptors(); err != nil {
		return nil, fmt.Errorf("reading group descriptors: %w", err)
	}
	return fs, nil
}

// readError makes an image that ends too early corrupt.
func readError(err error) error {
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("the image ends: %w", ErrCorrupt)
	}
	return err
}

// check refuses what would mislead the rest of the reader.
func (s *superblock) check() error {
	blockSize := uint64(1024) << min(s.LogBlockSize, maxLogBlockSize)
	switch {
	case s.Incompat&^uint32(readableIncompat) != 0:
		return fmt.Errorf("incompatible features %#x: %w", s.Incompat&^uint32(readableIncompat), ErrUnsupported)
	case s.Compat&compatSparseSuper2 != 0 && s.Incompat&incompatMetaBG != 0:
		return fmt.Errorf("sparse_super2 with meta_bg: %w", ErrUnsupported)
	case s.LogBlockSize > maxLogBlockSize:
		return fmt.Errorf("block size 2^%d: %w", 10+uint64(s.LogBlockSize), ErrUnsupported)
	case s.BlocksPerGroup == 0 || s.InodesPerGroup == 0 || uint64(s.InodesPerGroup) > 8*blockSize:
		return fmt.Errorf("group geometry: %w", ErrCorrupt)
	case uint64(s.BlocksPerGroup) > 8*blockSize && s.ROCompat&roBigalloc == 0:
		return fmt.Errorf("%d blocks per group: %w", s.BlocksPerGroup, ErrCorrupt)
	case s.blocks() <= uint64(s.FirstDataBlock) || s.blocks() > 1<<48:
		return fmt.Errorf("%d blocks: %w", s.blocks(), ErrCorrupt)
	case s.groups() > maxGroups || uint64(s.InodesCount) > s.groups()*uint64(s.InodesPerGroup):
		return fmt.Errorf("%d groups, %d inodes: %w", s.groups(), s.InodesCount, ErrCorrupt)
	}
	if size := s.inodeSize(); size < inBaseSize || uint64(size) > blockSize || size&(size-1) != 0 {
		return fmt.Errorf("inode size %d: %w", size, ErrCorrupt)
	}
	if size := s.descSize(); size < 32 || size > 1024 || size&(size-1) != 0 {
		return fmt.Errorf("descriptor size %d: %w", size, ErrCorrupt)
	}
	return nil
}

func (s *superblock) groups() uint64 {
	return ceilDiv(s.blocks()-uint64(s.FirstDataBlock), uint64(s.BlocksPerGroup))
}

func (s *superblock) inodeSize() int64 {
	if s.Revision == 0 {
		return inBaseSize
	}
	return int64(s.InodeSize)
}

func (s *superblock) descSize() int64 {
	if s.Incompat&incompat64bit == 0 {
		return 32
	}
	return int64(s.DescSize)
}

// readDescriptors keeps where the inode tables are, and checks all descriptors on the way.
func (fs *FS) readDescriptors() error {
	size := fs.sb.descSize()
	perBlock := uint64(fs.blockSize / size)
	groups := fs.sb.groups()
	for first := uint64(0); first < groups; first += perBlock {
		block, err := fs.readBlock(fs.descriptorBlock(first / perBlock))
		if err != nil {
			return err
		}
		for g := first; g < min(first+perBlock, groups); g++ {
			desc := block[:size]
			block = block[size:]
			if err := fs.addDescriptor(desc, uint32(g)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (fs *FS) addDescriptor(desc []byte, group uint32) error {
	if fs.sb.checksummed() {
		sum := uint16(desc[gdChecksum]) | uint16(desc[gdChecksum+1])<<8
		if sum != groupDescSum(desc, fs.seed, group) {
			return fmt.Errorf("group %d: checksum: %w", group, ErrCorrupt)
		}
	}
	table := inodeTableOf(desc)
	if table >= fs.blocks {
		return fmt.Errorf("group %d: inode table: %w", group, ErrCorrupt)
	}
	fs.tables = append(fs.tables, table)
	return nil
}

// descriptorBlock returns where the i'th block of descriptors lies. Under meta_bg each lies in the first
// group that it describes.
func (fs *FS) descriptorBlock(i uint64) uint64 {
	first := uint64(fs.sb.FirstDataBlock)
	if fs.sb.Incompat&incompatMetaBG == 0 || i < uint64(fs.sb.FirstMetaBG) {
		return first + 1 + i
	}
	group := i * uint64(fs.blockSize/fs.sb.descSize())
	block := first + group*uint64(fs.sb.BlocksPerGroup)
	if fs.sb.ROCompat&roSparseSuper == 0 || hasCopy(group) {
		block++
	}
	return block
}

// readBlock returns a block of the image.
func (fs *FS) readBlock(block uint64) ([]byte, error) {
	buf := make([]byte, fs.blockSize)
	return buf, fs.readBlocks(buf, block, 0)
}

// readBlocks fills p from offset bytes behind the start of block.
func (fs *FS) readBlocks(p []byte, block uint64, offset int64) error {
	end := ceilDiv(uint64(offset)+uint64(len(p)), uint64(fs.blockSize))
	if block >= fs.blocks || end > fs.blocks-block {
		return fmt.Errorf("block %d is beyond the end: %w", block, ErrCorrupt)
	}
	if n, err := fs.r.ReadAt(p, int64(block)*fs.blockSize+offset); n < len(p) {
		return fmt.Errorf("reading block %d: %w", block, readError(err))
	}
	return nil
}

// Superblock returns what the filesystem says of itself.
func (fs *FS) Superblock() Superblock {
	s := fs.sb
	label := s.VolumeName[:]
	for len(label) > 0 && label[len(label)-1] == 0 {
		label = label[:len(label)-1]
	}
	descs := s.groups()*uint64(s.descSize()) + uint64(s.ReservedGDTBlocks)*uint64(fs.blockSize)
	descs = roundUp(descs, uint64(fs.blockSize)) / uint64(s.descSize())
	return Superblock{
		UUID: s.UUID, Label: string(label), BlockSize: fs.blockSize,
		Blocks: int64(fs.blocks), FreeBlocks: int64(s.freeBlocks()),
		Inodes: int64(s.InodesCount), FreeInodes: int64(s.FreeInodes),
		MaxBlocks:   int64(descs * uint64(s.BlocksPerGroup)),
		Created:     time.Unix(int64(s.MkfsTimeHi)<<32|int64(s.MkfsTime), 0).UTC(),
		Written:     time.Unix(int64(s.WTimeHi)<<32|int64(s.WTime), 0).UTC(),
		Compat:      s.Compat,
		Incompat:    s.Incompat,
		ROCompat:    s.ROCompat,
		Checksummed: s.checksummed(),

		Clean:         s.State == stateClean,
		NeedsRecovery: s.Incompat&incompatRecover != 0,
	}
}
