// Package ext4 writes and reads ext4 filesystems in image files. It needs no privilege, no mount and
// no external program, and it knows nothing of where the files come from.
//
// # Writing
//
// A [Writer] is used in two phases. While the tree is still unknown, any number of goroutines stream
// file bodies straight to their final blocks, each through a [Stream] of its own. When the tree is
// known, [Writer.Finish] writes everything else: inodes, directories, bitmaps, descriptors, journal.
// A body that no inode of the tree refers to costs nothing in the result.
//
// The layout makes this possible: the only places that ext4 fixes are the superblock and descriptor
// copies at the start of the sparse_super groups, and these have one constant size here (room for a
// growth to 2 TiB). Bodies fill the space between them from the front; bitmaps, inode tables and the
// journal follow behind, where flex_bg allows them.
//
//	| super, descriptors, reserved | bodies ... | directories, xattrs | journal | bitmaps, inode tables | free ... |
//
// Free blocks of a finished image always read as zeros, and are holes where the file can have them.
//
// # Determinism
//
// The same options, the same bodies in each Stream and an equal tree give the same bytes, however the streams
// take turns. A stream has a region of the image to itself, as large as it is expected to need. What it writes
// beyond that goes to chunks of 1 MiB that all streams take from one place; before the tree is measured they
// are copied into the order of the streams, which costs as much as the expectations were wrong. Regions that
// were not filled leave free blocks, which are holes.
//
// # Reading
//
// [Open] reads what this package, mke2fs or a guest kernel wrote. Its input is hostile: it verifies
// every checksum that the format has, bounds every length and follows no symbolic link.
//
// The format is described in the kernel's Documentation/filesystems/ext4 and in fs/ext4/ext4.h.
package ext4
