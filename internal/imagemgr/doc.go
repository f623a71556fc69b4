// Package imagemgr holds the image helpers that need neither a network nor a
// store: checks of paths that a user gives, staging directories and their
// publication, boot artifacts.
package imagemgr
