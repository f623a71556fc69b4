// Package artifact keeps kernels in OCI registries: a manifest whose config
// says which kernel it is, and one zstd layer for each of vmlinux, modules,
// build configuration and initrd. docs/kernel-catalog.md has the layout.
package artifact
