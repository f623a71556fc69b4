// Package imagetree looks into root filesystems without mounting them: it
// lists the files of a rootfs.ext4 and tells in what two of them differ.
// Memory is bounded by the largest directory, not by the image, and what is
// read is hostile: package ext4 checks and bounds it.
package imagetree
