// Package imagepush makes OCI images of root filesystems and writes them to
// archives and registries. A layer holds the difference between two ext4 trees
// or all of one; it is made from the filesystem's blocks, so that owners,
// modes, extended attributes, hard links and devices are exact without root,
// and it is deterministic: names are sorted and nothing of this host or of the
// time of day is in it.
//
// Sources of the formats: OCI image-spec 1.1 (layer.md, config.md,
// manifest.md, image-layout.md), POSIX.1-2024 pax with star's SCHILY.xattr
// records, and what `docker load` reads.
package imagepush
