package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"banger/internal/ext4"
)

// equal tells in what the tree of an image differs from that below a
// directory: names, types, modes, owners, sizes, times, link counts, targets,
// contents.
func equal(ctx context.Context, image, dir string) error {
	have, err := listImage(ctx, image)
	if err != nil {
		return fmt.Errorf("reading %s: %w", image, err)
	}
	delete(have, "/lost+found")
	seen := 0
	err = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		name := filepath.Join("/", rel)
		want, err := describeFile(path)
		if err != nil {
			return err
		}
		seen++
		if have[name] != want {
			return fmt.Errorf("%s differs: the image has %q, umoci %q", name, have[name], want)
		}
		return nil
	})
	if err == nil && seen != len(have) {
		err = fmt.Errorf("the image has %d names, umoci %d", len(have), seen)
	}
	return err
}

const description = "mode %o, owner %d:%d, size %d, links %d, time %d, content %x"

func listImage(ctx context.Context, path string) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	image, err := ext4.Open(f)
	if err != nil {
		return nil, err
	}
	list := map[string]string{}
	return list, image.Walk(ctx, func(path string, n *ext4.Inode) error {
		sum := sha256.New()
		size, links := n.Size, n.Links
		switch n.Mode & unix.S_IFMT {
		case unix.S_IFREG:
			content, err := image.OpenFile(path)
			if err != nil {
				return err
			}
			if _, err := io.Copy(sum, content); err != nil {
				return err
			}
		case unix.S_IFLNK:
			target, err := image.Readlink(path)
			if err != nil {
				return err
			}
			_, _ = io.WriteString(sum, target) // a hash never fails
		case unix.S_IFDIR:
			size, links = 0, 0 // a directory's are the filesystem's affair
		}
		list[path] = fmt.Sprintf(description, n.Mode, n.UID, n.GID, size, links, n.MTime.UnixNano(), sum.Sum(nil))
		return nil
	})
}

func describeFile(path string) (string, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return "", err
	}
	sum := sha256.New()
	size, links := st.Size, st.Nlink
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		f, err := os.Open(path)
		if err != nil {
			return "", err
		}
		_, err = io.Copy(sum, f)
		if err = errors.Join(err, f.Close()); err != nil {
			return "", err
		}
	case unix.S_IFLNK:
		target, err := os.Readlink(path)
		if err != nil {
			return "", err
		}
		_, _ = io.WriteString(sum, target) // a hash never fails
	case unix.S_IFDIR:
		size, links = 0, 0
	}
	return fmt.Sprintf(description, st.Mode, st.Uid, st.Gid, size, links, unix.TimespecToNsec(st.Mtim), sum.Sum(nil)), nil
}
