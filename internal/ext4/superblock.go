package ext4

import (
	"encoding/binary"
	"fmt"
	"time"
)

const (
	superSize   = 1024
	superOffset = 1024 // of the primary copy, in bytes
)

// superblock is struct ext4_super_block of fs/ext4/ext4.h, byte for byte.
type superblock struct {
	InodesCount       uint32
	BlocksCountLo     uint32
	ReservedBlocksLo  uint32
	FreeBlocksLo      uint32
	FreeInodes        uint32
	FirstDataBlock    uint32
	LogBlockSize      uint32
	LogClusterSize    uint32
	BlocksPerGroup    uint32
	ClustersPerGroup  uint32
	InodesPerGroup    uint32
	MTime             uint32
	WTime             uint32
	MountCount        uint16
	MaxMountCount     uint16
	Magic             uint16
	State             uint16
	Errors            uint16
	MinorRevision     uint16
	LastCheck         uint32
	CheckInterval     uint32
	CreatorOS         uint32
	Revision          uint32
	DefaultUID        uint16
	DefaultGID        uint16
	FirstInode        uint32
	InodeSize         uint16
	BlockGroup        uint16
	Compat            uint32
	Incompat          uint32
	ROCompat          uint32
	UUID              [16]byte
	VolumeName        [16]byte
	LastMounted       [64]byte
	AlgorithmBitmap   uint32
	Prealloc          [2]uint8
	ReservedGDTBlocks uint16
	JournalUUID       [16]byte
	JournalInode      uint32
	JournalDevice     uint32
	LastOrphan        uint32
	HashSeed          [16]byte
	HashVersion       uint8
	JournalBackupType uint8
	DescSize          uint16
	DefaultMountOpts  uint32
	FirstMetaBG       uint32
	MkfsTime          uint32
	JournalBlocks     [17]uint32
	BlocksCountHi     uint32
	ReservedBlocksHi  uint32
	FreeBlocksHi      uint32
	MinExtraIsize     uint16
	WantExtraIsize    uint16
	Flags             uint32
	RAIDStride        uint16
	MMPInterval       uint16
	MMPBlock          uint64
	RAIDStripeWidth   uint32
	LogGroupsPerFlex  uint8
	ChecksumType      uint8
	Encryption        [2]uint8
	KBytesWritten     uint64
	Snapshot          [20]byte
	ErrorCount        uint32
	ErrorDetails      [104]byte
	MountOpts         [64]byte
	QuotaInodes       [2]uint32
	OverheadBlocks    uint32
	BackupGroups      [2]uint32
	EncryptAlgorithms [4]uint8
	EncryptSalt       [16]byte
	LostFoundInode    uint32
	ProjectQuotaInode uint32
	ChecksumSeed      uint32
	WTimeHi           uint8
	MTimeHi           uint8
	MkfsTimeHi        uint8
	LastCheckHi       uint8
	ErrorTimesHi      [2]uint8
	ErrorCodes        [2]uint8
	Encoding          uint16
	EncodingFlags     uint16
	OrphanFileInode   uint32
	Reserved          [94]uint32
	Checksum          uint32
}

// setTimes makes t the time of creation, of the last write and of the last check.
func (s *superblock) setTimes(t time.Time) {
	sec := uint64(min(max(t.Unix(), 0), 1<<40-1))
	s.WTime, s.MkfsTime, s.LastCheck = uint32(sec), uint32(sec), uint32(sec)
	s.WTimeHi, s.MkfsTimeHi, s.LastCheckHi = uint8(sec>>32), uint8(sec>>32), uint8(sec>>32)
}

// encode writes the copy that lies in group, with its checksum, to dst[:1024].
func (s superblock) encode(dst []byte, group uint32) error {
	s.BlockGroup = uint16(group)
	if _, err := binary.Encode(dst, binary.LittleEndian, &s); err != nil {
		return fmt.Errorf("encoding the superblock: %w", err)
	}
	sum := crc32c(^uint32(0), dst[:superSize-4])
	binary.LittleEndian.PutUint32(dst[superSize-4:], sum)
	return nil
}

// decodeSuperblock reads src[:1024] and checks magic and checksum.
func decodeSuperblock(src []byte) (*superblock, error) {
	var s superblock
	if _, err := binary.Decode(src, binary.LittleEndian, &s); err != nil {
		return nil, fmt.Errorf("decoding the superblock: %w", err)
	}
	if s.Magic != superMagic {
		return nil, fmt.Errorf("superblock: magic %#04x: %w", s.Magic, ErrCorrupt)
	}
	if s.ROCompat&roMetadataCsum == 0 {
		return &s, nil
	}
	if s.ChecksumType != checksumCRC32C || s.Checksum != crc32c(^uint32(0), src[:superSize-4]) {
		return nil, fmt.Errorf("superblock: checksum: %w", ErrCorrupt)
	}
	return &s, nil
}

func (s *superblock) blocks() uint64     { return uint64(s.BlocksCountHi)<<32 | uint64(s.BlocksCountLo) }
func (s *superblock) freeBlocks() uint64 { return uint64(s.FreeBlocksHi)<<32 | uint64(s.FreeBlocksLo) }
func (s *superblock) checksummed() bool  { return s.ROCompat&roMetadataCsum != 0 }

// seed is what the checksums of this filesystem start with.
func (s *superblock) seed() uint32 {
	if s.Incompat&incompatCsumSeed != 0 {
		return s.ChecksumSeed
	}
	return filesystemSeed(s.UUID)
}
