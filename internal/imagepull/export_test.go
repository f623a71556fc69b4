package imagepull

import (
	"bytes"
	"context"
	"io"
	"iter"

	"banger/internal/ext4"
	"banger/internal/model"
)

// Contents holds what the files of a tree have in them, which itself lies in
// no image.
type Contents struct {
	stream  *ext4.Stream
	inOrder [][]byte
	of      map[*ext4.Node][]byte
}

// nowhere is an ext4.File that forgets.
type nowhere struct{}

func (nowhere) ReadAt([]byte, int64) (int, error)      { return 0, io.EOF }
func (nowhere) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }
func (nowhere) Truncate(int64) error                   { return nil }

func (c *Contents) WriteBody(r io.Reader, size int64) (ext4.Body, error) {
	var b bytes.Buffer
	body, err := c.stream.WriteBody(io.TeeReader(r, &b), size)
	c.inOrder = append(c.inOrder, b.Bytes())
	return body, err
}

// bind notes which file has which content as members go by.
func (c *Contents) bind(members iter.Seq[*entry]) iter.Seq[*entry] {
	return func(yield func(*entry) bool) {
		for e := range members {
			if e.node != nil && e.node.Body.Size() > 0 {
				c.of[e.node], c.inOrder = c.inOrder[0], c.inOrder[1:]
			}
			if !yield(e) {
				return
			}
		}
	}
}

// Of returns the content of a file.
func (c *Contents) Of(n *ext4.Node) []byte { return c.of[n] }

// FlattenArchives unpacks and merges layers as BuildExt4 does.
func FlattenArchives(ctx context.Context, limits Limits, report model.Report, archives ...[]byte) (*ext4.Node, *Contents, error) {
	u := &unpacker{tab: &tab{budget: &budget{limits: limits}}, skipped: &skips{}}
	w, err := ext4.Create(nowhere{}, ext4.Options{})
	if err != nil {
		return nil, nil, err
	}
	contents := &Contents{stream: w.NewStream(), of: map[*ext4.Node][]byte{}}
	tree := newTree(limits)
	for _, a := range archives {
		l, err := u.unpack(ctx, io.NopCloser(bytes.NewReader(a)), "", contents)
		if err != nil {
			return nil, nil, err
		}
		if err := tree.hideAll(&l); err != nil {
			return nil, nil, err
		}
		if err := tree.putAll(contents.bind(l.members.take())); err != nil {
			return nil, nil, err
		}
	}
	u.skipped.tell(report)
	return tree.root, contents, nil
}

// What readAhead may hold of an archive.
const MaxAhead = aheadChunk * aheadChunks

// ReadAhead is readAhead, for an archive that nobody hashes.
func ReadAhead(r io.Reader) io.ReadCloser { return readAhead(r, digestOf(nil).newHash()) }

// ParseManifest returns what an accepted manifest or index points at.
func ParseManifest(doc []byte, mediaType string) ([]Digest, error) {
	d, err := parseDocument(doc, mediaType, DefaultLimits())
	if err != nil {
		return nil, err
	}
	all := append(d.Layers, d.Manifests...)
	if d.Config != nil {
		all = append(all, *d.Config)
	}
	var digests []Digest
	for _, c := range all {
		digests = append(digests, c.Digest)
	}
	return digests, nil
}

// ParseConfig returns what an accepted configuration says.
func ParseConfig(doc []byte, layers int) (model.ImageConfig, error) {
	c, err := parseConfig(doc, layers)
	if err != nil {
		return model.ImageConfig{}, err
	}
	return c.image(), nil
}

// RetryAfter is how long an answer with these headers makes a request wait.
var RetryAfter = retryAfter
