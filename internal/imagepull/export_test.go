package imagepull

import (
	"bytes"
	"context"
	"io"

	"banger/internal/ext4"
	"banger/internal/model"
)

// Contents stands in for an ext4 image: the contents of the files of a tree.
type Contents struct{ bodies [][]byte }

func (c *Contents) WriteBody(r io.Reader, size int64) (ext4.Body, error) {
	b := make([]byte, size)
	if _, err := io.ReadFull(r, b); err != nil {
		return ext4.Body{}, err
	}
	c.bodies = append(c.bodies, b)
	return ext4.Body{ID: int64(len(c.bodies)), Size: size}, nil
}

// Of returns the content of a file.
func (c *Contents) Of(n *ext4.Node) []byte {
	if n.Body.ID == 0 {
		return nil
	}
	return c.bodies[n.Body.ID-1]
}

// FlattenArchives unpacks and merges layers as BuildExt4 does.
func FlattenArchives(ctx context.Context, limits Limits, report model.Report, archives ...[]byte) (*ext4.Node, *Contents, error) {
	u := &unpacker{budget: &budget{limits: limits}, skipped: &skips{}}
	contents := &Contents{}
	tree := newTree(limits)
	for _, a := range archives {
		l, err := u.unpack(ctx, bytes.NewReader(a), "", contents)
		if err != nil {
			return nil, nil, err
		}
		if err := tree.apply(l.entries); err != nil {
			return nil, nil, err
		}
	}
	u.skipped.tell(report)
	return tree.root, contents, nil
}
