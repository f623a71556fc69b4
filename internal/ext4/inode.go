package ext4

import "encoding/binary"

// inode is struct ext4_inode, its halves joined.
type inode struct {
	mode                       uint32
	uid, gid                   uint32
	size                       uint64
	links                      uint32
	sectors                    uint64 // i_blocks, of 512 bytes
	flags                      uint32
	generation                 uint32
	fileACL                    uint64 // block of extended attributes
	atime, ctime, mtime, crtim stamp
	block                      [60]byte // i_block: extent root, short link target or device
	extraSize                  uint16
}

// Offsets in struct ext4_inode.
const (
	inMode        = 0
	inUIDLo       = 2
	inSizeLo      = 4
	inATime       = 8
	inCTime       = 12
	inMTime       = 16
	inGIDLo       = 24
	inLinks       = 26
	inBlocksLo    = 28
	inFlags       = 32
	inBlock       = 40
	inGeneration  = 100
	inFileACLLo   = 104
	inSizeHi      = 108
	inBlocksHi    = 116
	inFileACLHi   = 118
	inUIDHi       = 120
	inGIDHi       = 122
	inChecksumLo  = 124
	inExtraSize   = 128
	inChecksumHi  = 130
	inCTimeExtra  = 132
	inMTimeExtra  = 136
	inATimeExtra  = 140
	inCRTime      = 144
	inCRTimeExtra = 148
	inBaseSize    = 128                     // of the inode that every ext has
	inXattrs      = inBaseSize + extraIsize // in-inode attributes, of inodes written here
)

// encode writes the inode, without checksum, to dst[:160] of a zeroed slot.
func (in *inode) encode(dst []byte) {
	le := binary.LittleEndian
	le.PutUint16(dst[inMode:], uint16(in.mode))
	le.PutUint16(dst[inUIDLo:], uint16(in.uid))
	le.PutUint16(dst[inUIDHi:], uint16(in.uid>>16))
	le.PutUint16(dst[inGIDLo:], uint16(in.gid))
	le.PutUint16(dst[inGIDHi:], uint16(in.gid>>16))
	le.PutUint32(dst[inSizeLo:], uint32(in.size))
	le.PutUint32(dst[inSizeHi:], uint32(in.size>>32))
	le.PutUint16(dst[inLinks:], uint16(in.links))
	le.PutUint32(dst[inBlocksLo:], uint32(in.sectors))
	le.PutUint16(dst[inBlocksHi:], uint16(in.sectors>>32))
	le.PutUint32(dst[inFlags:], in.flags)
	le.PutUint32(dst[inGeneration:], in.generation)
	le.PutUint32(dst[inFileACLLo:], uint32(in.fileACL))
	le.PutUint16(dst[inFileACLHi:], uint16(in.fileACL>>32))
	copy(dst[inBlock:], in.block[:])
	le.PutUint16(dst[inExtraSize:], extraIsize)
	putStamp := func(lo, extra int, s stamp) {
		le.PutUint32(dst[lo:], s.seconds)
		le.PutUint32(dst[extra:], s.extra)
	}
	putStamp(inATime, inATimeExtra, in.atime)
	putStamp(inCTime, inCTimeExtra, in.ctime)
	putStamp(inMTime, inMTimeExtra, in.mtime)
	putStamp(inCRTime, inCRTimeExtra, in.crtim)
}

// setInodeSum completes an encoded inode, attributes included. seed is its inodeSeed.
func setInodeSum(raw []byte, seed uint32) {
	sum := crc32c(seed, raw) // both halves are still zero
	binary.LittleEndian.PutUint16(raw[inChecksumLo:], uint16(sum))
	binary.LittleEndian.PutUint16(raw[inChecksumHi:], uint16(sum>>16))
}

// inodeSumOK verifies an inode of any size from 128 on.
func inodeSumOK(raw []byte, fsSeed, ino uint32) bool {
	le := binary.LittleEndian
	want := uint32(le.Uint16(raw[inChecksumLo:]))
	sum := crc32c(inodeSeed(fsSeed, ino, le.Uint32(raw[inGeneration:])), raw[:inChecksumLo])
	sum = crc32c(sum, zeros[:2])
	sum = crc32c(sum, raw[inChecksumLo+2:min(len(raw), inChecksumHi)])
	if len(raw) <= inBaseSize {
		return uint16(sum) == uint16(want)
	}
	if extraSizeOf(raw) < inChecksumHi+2-inBaseSize {
		sum = crc32c(sum, raw[inChecksumHi:])
		return uint16(sum) == uint16(want)
	}
	sum = crc32c(sum, zeros[:2])
	sum = crc32c(sum, raw[inChecksumHi+2:])
	return sum == want|uint32(le.Uint16(raw[inChecksumHi:]))<<16
}

// extraSizeOf returns how many bytes beyond the first 128 hold fields, or 0 when the inode lies about it.
func extraSizeOf(raw []byte) int {
	if len(raw) < inBaseSize+4 {
		return 0
	}
	n := int(binary.LittleEndian.Uint16(raw[inExtraSize:]))
	if n%4 != 0 || inBaseSize+n > len(raw) {
		return 0
	}
	return n
}

// decodeInode reads an inode of 128 bytes or more.
func decodeInode(raw []byte) inode {
	le := binary.LittleEndian
	join := func(lo, hi int) uint32 {
		return uint32(le.Uint16(raw[lo:])) | uint32(le.Uint16(raw[hi:]))<<16
	}
	in := inode{
		mode:       uint32(le.Uint16(raw[inMode:])),
		uid:        join(inUIDLo, inUIDHi),
		gid:        join(inGIDLo, inGIDHi),
		size:       uint64(le.Uint32(raw[inSizeLo:])) | uint64(le.Uint32(raw[inSizeHi:]))<<32,
		links:      uint32(le.Uint16(raw[inLinks:])),
		sectors:    uint64(le.Uint32(raw[inBlocksLo:])) | uint64(le.Uint16(raw[inBlocksHi:]))<<32,
		flags:      le.Uint32(raw[inFlags:]),
		generation: le.Uint32(raw[inGeneration:]),
		fileACL:    uint64(le.Uint32(raw[inFileACLLo:])) | uint64(le.Uint16(raw[inFileACLHi:]))<<32,
		extraSize:  uint16(extraSizeOf(raw)),
	}
	copy(in.block[:], raw[inBlock:])
	stampAt := func(lo, extra int) stamp {
		s := stamp{seconds: le.Uint32(raw[lo:])}
		if extra+4 <= inBaseSize+int(in.extraSize) {
			s.extra = le.Uint32(raw[extra:])
		}
		return s
	}
	in.atime = stampAt(inATime, inATimeExtra)
	in.ctime = stampAt(inCTime, inCTimeExtra)
	in.mtime = stampAt(inMTime, inMTimeExtra)
	if inCRTime+4 <= inBaseSize+int(in.extraSize) {
		in.crtim = stampAt(inCRTime, inCRTimeExtra)
	}
	return in
}
