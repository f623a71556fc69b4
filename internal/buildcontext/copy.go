package buildcontext

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"path"
	"strings"

	"banger/internal/model"
)

// Copied is a file and where it comes to lie below the target of a COPY.
type Copied struct {
	File
	To string // relative to the target; "" is the target itself
	// Named: a source means this file alone, it is not of a directory that one
	// means.
	Named bool
}

// Select returns what the sources of a COPY mean: patterns of path.Match, of
// paths below the context. The content of a directory is copied, not the
// directory, and what a symbolic link leads to, not the link, unless that is
// not in the context. The order is that of the sources, then that of names.
func (c *Context) Select(sources []string) ([]Copied, error) {
	var all []Copied
	for _, src := range sources {
		clean := c.follow(strings.TrimPrefix(path.Clean("/"+src), "/"), false) // .. does not lead out
		found := 0
		for i, f := range c.files {
			match, err := path.Match(clean, f.Path)
			if err != nil {
				return nil, model.Errorf(model.CodeInvalid, "source %q: %w", src, err)
			}
			if match || f.Path == clean {
				all = c.take(all, i, path.Base(f.Path))
				found++
			}
		}
		switch {
		case clean == "":
			all = c.below(all, "", 0)
		case found == 0:
			return nil, model.Errorf(model.CodeNotFound, "source %q is not in the build context", src).
				WithHint("paths are relative to the context, and .dockerignore may leave it out")
		}
	}
	return all, nil
}

// maxLinks bounds symbolic links in one path, as Linux does.
const maxLinks = 40

// follow leads a path over the symbolic links in it, as far as it is no pattern
// and they are in the context: those in its middle, and with last the one at
// its end.
func (c *Context) follow(name string, last bool) string {
	at, rest, links := "", name, 0
	for {
		var part string
		part, rest, _ = strings.Cut(strings.TrimLeft(rest, "/"), "/")
		switch {
		case part == "":
			return at
		case links == 0 && strings.ContainsAny(part, `*?[\`):
			return path.Join(at, part, rest)
		}
		next := strings.TrimPrefix(path.Join("/", at, part), "/") // .. does not lead out
		i, found := c.at[next]
		if !found || c.files[i].Mode&fs.ModeSymlink == 0 || rest == "" && !last {
			at = next
			continue
		}
		if links++; links > maxLinks {
			return path.Join(next, rest)
		}
		if path.IsAbs(c.files[i].Link) {
			at = ""
		}
		rest = c.files[i].Link + "/" + rest
	}
}

// take adds what a source means, which is called name where it is a file: a
// file, or the content of a directory.
func (c *Context) take(all []Copied, at int, name string) []Copied {
	f := c.files[at]
	if f.Mode&fs.ModeSymlink != 0 {
		if i, found := c.at[c.follow(f.Path, true)]; found {
			at, f = i, c.files[i]
		}
	}
	if !f.Mode.IsDir() {
		return append(all, Copied{File: f, To: name, Named: true})
	}
	all = append(all, Copied{File: f})
	return c.below(all, f.Path+"/", at+1)
}

// below adds all files whose paths begin with prefix; they follow each other.
func (c *Context) below(all []Copied, prefix string, from int) []Copied {
	for _, f := range c.files[from:] {
		if !strings.HasPrefix(f.Path, prefix) {
			break
		}
		all = append(all, Copied{File: f, To: strings.TrimPrefix(f.Path, prefix)})
	}
	return all
}

// Open opens a regular file of the context. A symbolic link that was put in
// its place is not followed out of it. Once Digest has read it, closing it
// after all was read fails when the content is another one.
func (c *Context) Open(f File) (io.ReadCloser, error) {
	file, err := c.root.Open(f.Path)
	if err != nil || c.sums[f.Path] == nil {
		return file, err
	}
	return &checked{file: file, left: f.Size, want: c.sums[f.Path], sum: sha256.New()}, nil
}

// checked is a file whose content was read before.
type checked struct {
	file io.ReadCloser
	left int64 // bytes until the end
	want []byte
	sum  hash.Hash
}

func (c *checked) Read(p []byte) (int, error) {
	n, err := c.file.Read(p)
	c.left -= int64(n)
	c.sum.Write(p[:n])
	return n, err
}

func (c *checked) Close() error {
	err := c.file.Close()
	if err == nil && c.left <= 0 && !bytes.Equal(c.sum.Sum(nil), c.want) {
		err = errChanged()
	}
	return err
}

func errChanged() error {
	return model.Errorf(model.CodeInvalid, "it changed while it was read").WithHint("build again when the files of the build context are at rest")
}

// Digest identifies names, modes and contents, but no times or owners.
func (c *Context) Digest(ctx context.Context, copied []Copied) (string, error) {
	h := sha256.New()
	for _, f := range copied {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%q %q %o %q ", f.Path, f.To, f.Mode, f.Link)
		if !f.Mode.IsRegular() {
			continue
		}
		sum, err := c.content(f.File)
		if err != nil {
			return "", model.Errorf(model.CodeInvalid, "reading %s of the build context: %w", f.Path, err)
		}
		c.sums[f.Path] = sum
		fmt.Fprintf(h, "%x ", sum)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}

func (c *Context) content(f File) ([]byte, error) {
	file, err := c.Open(f)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(file, f.Size+1))
	if err == nil && n != f.Size {
		err = errChanged()
	}
	return h.Sum(nil), err
}
