package model

import "time"

// FileType is what a name in a root filesystem stands for.
type FileType string

// The types of files, one for each S_IFMT value.
const (
	TypeFile    FileType = "file"
	TypeDir     FileType = "dir"
	TypeSymlink FileType = "symlink"
	TypeChar    FileType = "char"
	TypeBlock   FileType = "block"
	TypeFIFO    FileType = "fifo"
	TypeSocket  FileType = "socket"
)

// FileInfo is what lstat(2) and readlink(2) tell of a file. All of it is
// untrusted.
type FileInfo struct {
	Type        FileType  `json:"type" enum:"file,dir,symlink,char,block,fifo,socket"`
	Mode        uint32    `json:"mode" doc:"permissions with the set-id and sticky bits: st_mode & 07777"`
	UID         uint32    `json:"uid"`
	GID         uint32    `json:"gid"`
	Size        int64     `json:"size" doc:"in bytes"`
	Links       uint32    `json:"links" doc:"names that the file has"`
	MTime       time.Time `json:"mtime"`
	Target      string    `json:"target,omitempty" doc:"of a symbolic link; bytes that are not UTF-8 are replaced"`
	TargetBytes []byte    `json:"target_bytes,omitempty" doc:"the target, when it is not valid UTF-8"`
	Major       uint32    `json:"major,omitempty" doc:"of a device"`
	Minor       uint32    `json:"minor,omitempty" doc:"of a device"`
}

// RawTarget returns the target of a symbolic link byte for byte.
func (f *FileInfo) RawTarget() string { return raw(f.Target, f.TargetBytes) }

// TreeEntry is one name in an image's root filesystem.
type TreeEntry struct {
	Path      string `json:"path" doc:"from the root, with a leading slash; bytes that are not UTF-8 are replaced"`
	PathBytes []byte `json:"path_bytes,omitempty" doc:"the path, when it is not valid UTF-8"`
	FileInfo
}

// RawPath returns the path byte for byte.
func (e *TreeEntry) RawPath() string { return raw(e.Path, e.PathBytes) }

// ChangeKind says what became of a name.
type ChangeKind string

// The kinds of changes.
const (
	ChangeAdded   ChangeKind = "added"
	ChangeRemoved ChangeKind = "removed"
	ChangeChanged ChangeKind = "changed"
)

// TreeChange is a name in which two root filesystems differ.
type TreeChange struct {
	Path      string     `json:"path" doc:"from the root, with a leading slash; bytes that are not UTF-8 are replaced"`
	PathBytes []byte     `json:"path_bytes,omitempty" doc:"the path, when it is not valid UTF-8"`
	Change    ChangeKind `json:"change" enum:"added,removed,changed"`
	What      []string   `json:"what,omitempty" doc:"of what has changed: type, mode, owner, size, content, target, device, xattrs, mtime"`
	From      *FileInfo  `json:"from,omitempty" doc:"absent when added"`
	To        *FileInfo  `json:"to,omitempty" doc:"absent when removed"`
}

// RawPath returns the path byte for byte.
func (c *TreeChange) RawPath() string { return raw(c.Path, c.PathBytes) }

func raw(text string, bytes []byte) string {
	if bytes != nil {
		return string(bytes)
	}
	return text
}
