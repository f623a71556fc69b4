package imagepull

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/model"
)

// dirWriter writes a directory as an archive.
type dirWriter struct {
	ctx     func() error // why to stop
	root    *os.Root     // nothing outside of it is opened, whatever its links say
	device  uint64       // other filesystems below are left out, their mount points are not
	tar     *tar.Writer
	names   map[inode]string // of files that have several
	skipped *skips
}

type inode struct{ device, number uint64 }

// archiveDir writes the tree below dir, in the order of names, with owners,
// modes, times, links and devices, and the extended attributes of files and
// directories.
func archiveDir(ctx context.Context, dir string, w io.Writer, skipped *skips) error {
	root, err := os.OpenRoot(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return model.Errorf(model.CodeNotFound, "%s does not exist", dir).
			WithHint("check the path: it is one of the daemon's host")
	case err != nil:
		return model.Errorf(model.CodeInvalid, "opening: %w", err)
	}
	defer root.Close()
	d := &dirWriter{ctx: ctx.Err, root: root, tar: tar.NewWriter(w), names: map[inode]string{}, skipped: skipped}
	err = fs.WalkDir(root.FS(), ".", d.visit)
	if err == nil {
		err = d.tar.Close()
	}
	if errors.Is(err, fs.ErrPermission) {
		return model.Errorf(model.CodeInvalid, "reading %s: %w", dir, err).WithHint("run the daemon as a user who may read all of it")
	}
	if err != nil {
		return archiveError(fmt.Errorf("reading %s: %w", dir, err))
	}
	return nil
}

// visit writes one file.
func (d *dirWriter) visit(name string, entry fs.DirEntry, err error) error {
	if err := errors.Join(err, d.ctx()); err != nil {
		return err
	}
	info, err := entry.Info()
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("%q has no inode", name)
	}
	if name == "." {
		d.device = st.Dev
	}
	if err := d.write(name, st); err != nil {
		return fmt.Errorf("%q: %w", name, err)
	}
	if st.Dev != d.device && entry.IsDir() {
		d.skipped.add("filesystems that are mounted below the directory")
		return fs.SkipDir
	}
	return nil
}

// write writes the member of one file.
func (d *dirWriter) write(name string, st *syscall.Stat_t) error {
	h := &tar.Header{
		Format: tar.FormatPAX, Name: name, Mode: int64(st.Mode & 0o7777),
		Uid: int(st.Uid), Gid: int(st.Gid), ModTime: time.Unix(st.Mtim.Unix()),
	}
	var err error
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return d.file(h, st)
	case unix.S_IFDIR:
		return d.directory(h, st)
	case unix.S_IFLNK:
		h.Typeflag = tar.TypeSymlink
		h.Linkname, err = d.root.Readlink(name)
	case unix.S_IFCHR, unix.S_IFBLK:
		h.Typeflag = map[uint32]byte{unix.S_IFCHR: tar.TypeChar, unix.S_IFBLK: tar.TypeBlock}[st.Mode&unix.S_IFMT]
		h.Devmajor, h.Devminor = int64(unix.Major(st.Rdev)), int64(unix.Minor(st.Rdev))
	case unix.S_IFIFO:
		h.Typeflag = tar.TypeFifo
	default:
		d.skipped.add("sockets")
		return nil
	}
	if err != nil {
		return err
	}
	d.link(h, st)
	return d.tar.WriteHeader(h)
}

// link turns h into a hard link when its file has been written under
// another name.
func (d *dirWriter) link(h *tar.Header, st *syscall.Stat_t) {
	id := inode{st.Dev, st.Ino}
	first, seen := d.names[id]
	if seen {
		*h = tar.Header{Format: tar.FormatPAX, Typeflag: tar.TypeLink, Name: h.Name, Linkname: first, ModTime: h.ModTime}
	} else if st.Nlink > 1 {
		d.names[id] = h.Name
	}
}

// file writes a regular file.
func (d *dirWriter) file(h *tar.Header, st *syscall.Stat_t) error {
	h.Typeflag, h.Size = tar.TypeReg, st.Size
	if d.link(h, st); h.Typeflag == tar.TypeLink {
		return d.tar.WriteHeader(h)
	}
	f, err := d.open(h.Name, st)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := d.addXattrs(h, f); err != nil {
		return err
	}
	if err := d.tar.WriteHeader(h); err != nil {
		return err
	}
	if _, err := io.CopyN(d.tar, f, h.Size); errors.Is(err, io.EOF) {
		return changing()
	} else if err != nil {
		return err
	}
	return nil
}

func (d *dirWriter) directory(h *tar.Header, st *syscall.Stat_t) error {
	h.Typeflag = tar.TypeDir
	f, err := d.open(h.Name, st)
	if err != nil {
		return err
	}
	defer f.Close()
	h.Name += "/"
	if err := d.addXattrs(h, f); err != nil {
		return err
	}
	return d.tar.WriteHeader(h)
}

func changing() error {
	return model.Errorf(model.CodeConflict, "it changes while it is read").
		WithHint("stop what writes to the directory, and pull again")
}

// open opens the file or directory that st is about, and nothing else that
// may have come to its place.
func (d *dirWriter) open(name string, st *syscall.Stat_t) (*os.File, error) {
	f, err := d.root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	var got unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &got); err != nil || got.Dev != st.Dev || got.Ino != st.Ino {
		return nil, errors.Join(changing(), err, f.Close())
	}
	return f, nil
}

// maxXattrList is how long the kernel lets a list of names, and a value, be
// (include/uapi/linux/limits.h).
const maxXattrList = 64 << 10

// addXattrs adds the extended attributes of f.
func (d *dirWriter) addXattrs(h *tar.Header, f *os.File) error {
	n, err := unix.Flistxattr(int(f.Fd()), nil)
	if errors.Is(err, unix.ENOTSUP) || err == nil && n == 0 {
		return nil
	}
	buf := make([]byte, maxXattrList)
	if err == nil {
		n, err = unix.Flistxattr(int(f.Fd()), buf)
	}
	if err != nil {
		return fmt.Errorf("listing its attributes: %w", err)
	}
	names := strings.Split(strings.TrimSuffix(string(buf[:n]), "\x00"), "\x00")
	h.PAXRecords = map[string]string{}
	for _, name := range names {
		n, err := unix.Fgetxattr(int(f.Fd()), name, buf)
		if err != nil {
			return fmt.Errorf("reading attribute %q: %w", name, err)
		}
		if strings.Contains(name, "=") {
			d.skipped.add("extended attributes with = in their names")
			continue
		}
		h.PAXRecords[paxXattr+name] = string(buf[:n])
	}
	return nil
}
