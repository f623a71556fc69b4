package main

import (
	"archive/tar"
	"time"
)

// entry is one member of a layer.
type entry struct {
	header tar.Header
	body   []byte
}

// made is the modification time of all that has no other.
var made = time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)

func node(typeflag byte, name string, mode int64) entry {
	return entry{header: tar.Header{
		Format: tar.FormatPAX, Typeflag: typeflag, Name: name, Mode: mode, ModTime: made,
	}}
}

func dir(name string, mode int64) entry { return node(tar.TypeDir, name+"/", mode) }

func file(name string, mode int64, body string) entry {
	e := node(tar.TypeReg, name, mode)
	e.body = []byte(body)
	return e
}

func symlink(name, target string) entry {
	e := node(tar.TypeSymlink, name, 0o777)
	e.header.Linkname = target
	return e
}

// hardlink makes name another name of target, which may be in a lower layer.
func hardlink(name, target string) entry {
	e := node(tar.TypeLink, name, 0)
	e.header.Linkname = target
	return e
}

func device(typeflag byte, name string, major, minor int64) entry {
	e := node(typeflag, name, 0o640)
	e.header.Devmajor, e.header.Devminor = major, minor
	return e
}

// whiteout hides base of the lower layers (OCI image-spec, layer.md, "Whiteouts").
func whiteout(dir, base string) entry { return file(dir+"/.wh."+base, 0o644, "") }

// opaque hides all that lower layers have in dir ("Opaque Whiteout").
func opaque(dir string) entry { return file(dir+"/.wh..wh..opq", 0o644, "") }

func (e entry) owned(uid, gid int) entry {
	e.header.Uid, e.header.Gid = uid, gid
	return e
}

func (e entry) at(t time.Time) entry {
	e.header.ModTime = t
	return e
}

func (e entry) xattr(name, value string) entry {
	if e.header.PAXRecords == nil {
		e.header.PAXRecords = map[string]string{}
	}
	e.header.PAXRecords["SCHILY.xattr."+name] = value
	return e
}
