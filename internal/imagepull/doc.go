// Package imagepull turns a reference into a root filesystem. A reference is
// resolved at one of several sources (a registry, an OCI layout, an archive, a
// stream, a docker or podman of this host, mmdebstrap) to an image whose
// manifest and configuration have been checked; its layers are fetched into a cache of verified blobs, and each is
// unpacked straight into the blocks of an ext4 image while its names are kept
// in memory. When all are there the trees are merged, lowest layer first, and
// the filesystem's metadata is written. No file of an image is ever made on
// the host, so its names, links, owners and modes can do no harm there.
//
// Sources of the formats: OCI image-spec (manifest.md, image-index.md,
// config.md, layer.md), OCI distribution-spec, and the Docker Image Manifest
// V2 Schema 2, whose media types are treated as their OCI equals.
package imagepull
