package imagetree

import (
	"context"
	"errors"
	"io"
	"strings"

	"banger/internal/ext4"
	"banger/internal/model"
)

// DiffOptions says what counts as a difference.
type DiffOptions struct {
	Times bool // modification times do
}

// Diff calls visit for every name in which two trees differ, in the order of
// List. Both are walked side by side; contents are compared when their sizes
// are equal. An error of visit ends it.
func Diff(ctx context.Context, from, to *Tree, opt DiffOptions, visit func(model.TreeChange) error) error {
	if from.same(to) {
		return nil
	}
	a, err := newCursor(from)
	if err != nil {
		return classed(err)
	}
	b, err := newCursor(to)
	if err != nil {
		return classed(err)
	}
	d := &differ{comparer: newComparer(opt), visit: visit}
	for !a.done || !b.done {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := d.step(ctx, a, b); err != nil {
			return classed(err)
		}
	}
	return nil
}

type differ struct {
	*comparer
	visit func(model.TreeChange) error
}

// step deals with the lesser of two names and moves on.
func (d *differ) step(ctx context.Context, a, b *cursor) error {
	switch order := a.compare(b); {
	case order < 0:
		return errors.Join(d.tell(model.ChangeRemoved, a.path, nil, a.inode, nil), a.next())
	case order > 0:
		return errors.Join(d.tell(model.ChangeAdded, b.path, nil, nil, b.inode), b.next())
	}
	what, err := d.compare(ctx, a.inode, b.inode)
	if err == nil && len(what) > 0 {
		err = d.tell(model.ChangeChanged, a.path, what, a.inode, b.inode)
	}
	if err != nil {
		return err
	}
	return errors.Join(a.next(), b.next())
}

func (d *differ) tell(kind model.ChangeKind, path string, what []string, from, to *ext4.Inode) error {
	c := model.TreeChange{Change: kind, What: what}
	c.Path, c.PathBytes = text(path)
	for _, side := range []struct {
		inode *ext4.Inode
		into  **model.FileInfo
	}{{from, &c.From}, {to, &c.To}} {
		if side.inode == nil {
			continue
		}
		info, err := fileInfo(side.inode)
		if err != nil {
			return err
		}
		*side.into = &info
	}
	return d.visit(c)
}

// cursor is where a walk stands.
type cursor struct {
	walker *ext4.Walker
	path   string
	inode  *ext4.Inode
	done   bool
}

func newCursor(t *Tree) (*cursor, error) {
	w, err := t.fs.NewWalker("/")
	if err != nil {
		return nil, err
	}
	c := &cursor{walker: w}
	return c, c.next()
}

func (c *cursor) next() (err error) {
	c.path, c.inode, err = c.walker.Next()
	if c.done = errors.Is(err, io.EOF); c.done {
		return nil
	}
	return err
}

// compare orders two cursors as their walks do. The end comes last.
func (c *cursor) compare(other *cursor) int {
	switch {
	case c.done:
		return 1
	case other.done:
		return -1
	}
	return comparePaths(c.path, other.path)
}

// comparePaths compares name by name. A slash counts as less than any byte of
// a name, so that what is below a directory follows it at once.
func comparePaths(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] == b[i] {
			continue
		}
		switch {
		case a[i] == '/':
			return -1
		case b[i] == '/':
			return 1
		}
		return strings.Compare(a[i:i+1], b[i:i+1])
	}
	return len(a) - len(b)
}
