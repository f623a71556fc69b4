package imagetree

import (
	"bytes"
	"context"
	"io"
	"maps"

	"banger/internal/ext4"
	"banger/internal/model"
)

const (
	compareBuffer = 256 << 10

	// maxKnownPairs bounds what is remembered of files with several names; a
	// pair that is not remembered is compared again.
	maxKnownPairs = 1 << 16
)

// comparer compares files.
type comparer struct {
	opt   DiffOptions
	a, b  []byte // buffers
	known map[[2]uint32]bool
}

func newComparer(opt DiffOptions) *comparer {
	return &comparer{
		opt: opt, known: map[[2]uint32]bool{},
		a: make([]byte, compareBuffer), b: make([]byte, compareBuffer),
	}
}

// compare names in what two files differ.
func (c *comparer) compare(ctx context.Context, a, b *ext4.Inode) ([]string, error) {
	var what []string
	add := func(differs bool, name string) {
		if differs {
			what = append(what, name)
		}
	}
	kind := fileType(a.Mode)
	sameType := kind == fileType(b.Mode)
	add(!sameType, "type")
	add(a.Mode&0o7777 != b.Mode&0o7777, "mode")
	add(a.UID != b.UID || a.GID != b.GID, "owner")
	if sameType {
		body, err := c.compareBody(ctx, kind, a, b)
		if err != nil {
			return nil, err
		}
		what = append(what, body...)
	}
	same, err := sameXattrs(a, b)
	add(!same, "xattrs")
	add(c.opt.Times && !a.MTime.Equal(b.MTime), "mtime")
	return what, err
}

// compareBody compares what files of one type hold.
func (c *comparer) compareBody(ctx context.Context, kind model.FileType, a, b *ext4.Inode) ([]string, error) {
	switch kind {
	case model.TypeFile:
		if a.Size != b.Size {
			return []string{"size", "content"}, nil
		}
		same, err := c.sameContent(ctx, a, b)
		if err != nil || same {
			return nil, err
		}
		return []string{"content"}, nil
	case model.TypeSymlink:
		was, err := a.Readlink()
		if err != nil {
			return nil, err
		}
		is, err := b.Readlink()
		if err != nil || was == is {
			return nil, err
		}
		return []string{"target"}, nil
	case model.TypeChar, model.TypeBlock:
		if a.Major != b.Major || a.Minor != b.Minor {
			return []string{"device"}, nil
		}
	}
	return nil, nil
}

// sameContent compares two files of the same size. Those with several names
// are compared once.
func (c *comparer) sameContent(ctx context.Context, a, b *ext4.Inode) (same bool, err error) {
	pair := [2]uint32{a.Ino, b.Ino}
	if same, ok := c.known[pair]; ok {
		return same, nil
	}
	same, err = c.readBoth(ctx, a, b)
	if err == nil && (a.Links > 1 || b.Links > 1) && len(c.known) < maxKnownPairs {
		c.known[pair] = same
	}
	return same, err
}

func (c *comparer) readBoth(ctx context.Context, a, b *ext4.Inode) (same bool, err error) {
	was, err := a.Open()
	if err != nil {
		return false, err
	}
	is, err := b.Open()
	if err != nil {
		return false, err
	}
	for left := a.Size; left > 0; {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		n := min(left, compareBuffer)
		if _, err := io.ReadFull(was, c.a[:n]); err != nil {
			return false, err
		}
		if _, err := io.ReadFull(is, c.b[:n]); err != nil {
			return false, err
		}
		if !bytes.Equal(c.a[:n], c.b[:n]) {
			return false, nil
		}
		left -= n
	}
	return true, nil
}

func sameXattrs(a, b *ext4.Inode) (bool, error) {
	was, err := a.Xattrs()
	if err != nil {
		return false, err
	}
	is, err := b.Xattrs()
	return maps.EqualFunc(was, is, bytes.Equal), err
}
