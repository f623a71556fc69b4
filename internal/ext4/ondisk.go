package ext4

// Geometry of the filesystems that are written. The reader takes other geometries too.
const (
	blockSize      = 4096
	blocksPerGroup = 8 * blockSize // one block of bitmap
	inodeSize      = 256
	extraIsize     = 32 // bytes of the inode beyond the first 128 that hold fields
	inodesPerBlock = blockSize / inodeSize
	descSize       = 64
	descsPerBlock  = blockSize / descSize
	groupsPerFlex  = 16

	// descBlocks is the room for group descriptors, used and reserved together, in each group that has
	// a copy. It is constant so that bodies can be placed before the size is known, and enough to grow
	// to 2 TiB; the kernel grows further by changing to meta_bg.
	descBlocks = 256
	// copyBlocks is a superblock and its descriptors.
	copyBlocks = 1 + descBlocks

	// MaxBytes is the largest filesystem that Finish makes.
	MaxBytes  = 1 << 40
	maxBlocks = MaxBytes / blockSize
)

// Inode numbers with a fixed meaning.
const (
	inoRoot      = 2
	inoResize    = 7
	inoJournal   = 8
	inoLostFound = 11 // the first that is not reserved, as mke2fs has it
)

// Limits of the format.
const (
	maxNameLen     = 255
	maxPathLen     = 4095 // PATH_MAX less its NUL: no deeper file could be opened by its name
	maxLinks       = 65000
	maxFastLink    = 59
	maxLinkLen     = blockSize - 1
	maxInodesGroup = 8 * blockSize
	maxFileBlocks  = 1<<32 - 1
)

// File types of stat(2).
const (
	typeMask   = 0o170000
	typeFIFO   = 0o010000
	typeChar   = 0o020000
	typeDir    = 0o040000
	typeBlock  = 0o060000
	typeFile   = 0o100000
	typeLink   = 0o120000
	typeSocket = 0o140000
)

// Superblock features (fs/ext4/ext4.h, EXT4_FEATURE_*).
const (
	compatHasJournal   = 0x4
	compatExtAttr      = 0x8
	compatResizeInode  = 0x10
	compatDirIndex     = 0x20
	compatSparseSuper2 = 0x200

	incompatFiletype = 0x2
	incompatRecover  = 0x4
	incompatMetaBG   = 0x10
	incompatExtents  = 0x40
	incompat64bit    = 0x80
	incompatFlexBG   = 0x200
	incompatCsumSeed = 0x2000
	incompatLargeDir = 0x4000

	roSparseSuper  = 0x1
	roLargeFile    = 0x2
	roHugeFile     = 0x8
	roDirNlink     = 0x20
	roExtraIsize   = 0x40
	roBigalloc     = 0x200
	roMetadataCsum = 0x400

	writtenCompat    = compatHasJournal | compatExtAttr | compatResizeInode | compatDirIndex
	writtenIncompat  = incompatFiletype | incompatExtents | incompat64bit | incompatFlexBG
	writtenROCompat  = roSparseSuper | roLargeFile | roHugeFile | roDirNlink | roExtraIsize | roMetadataCsum
	readableIncompat = writtenIncompat | incompatRecover | incompatMetaBG | incompatCsumSeed | incompatLargeDir
)

// Values of superblock fields.
const (
	superMagic        = 0xEF53
	stateClean        = 0x1
	hashHalfMD4       = 1
	flagUnsignedHash  = 0x2
	checksumCRC32C    = 1
	mountUserXattrACL = 0xC
)

// Inode flags.
const (
	inodeFlagIndex   = 0x1000
	inodeFlagExtents = 0x80000
)

// Group descriptor flags.
const (
	groupInodeUninit = 0x1
	groupBlockUninit = 0x2
	groupInodeZeroed = 0x4
)

// blocksFor returns how many blocks n bytes take.
func blocksFor(n int64) uint64 { return (uint64(n) + blockSize - 1) / blockSize }

// ceilDiv returns a/b rounded up.
func ceilDiv(a, b uint64) uint64 { return (a + b - 1) / b }

// roundUp returns the smallest multiple of m that is not below n.
func roundUp(n, m uint64) uint64 { return ceilDiv(n, m) * m }
