package buildcontext

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
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
}

// Select returns what the sources of a COPY mean: patterns of path.Match, of
// paths below the context. The content of a directory is copied, not the
// directory. The order is that of the sources, then that of names.
func (c *Context) Select(sources []string) ([]Copied, error) {
	var all []Copied
	for _, src := range sources {
		clean := strings.TrimPrefix(path.Clean("/"+src), "/") // .. does not lead out
		found := 0
		for i, f := range c.files {
			match, err := path.Match(clean, f.Path)
			if err != nil {
				return nil, model.Errorf(model.CodeInvalid, "source %q: %w", src, err)
			}
			if match || f.Path == clean {
				all = c.take(all, i)
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

// take adds what a source means: a file, or the content of a directory.
func (c *Context) take(all []Copied, at int) []Copied {
	f := c.files[at]
	if !f.Mode.IsDir() {
		return append(all, Copied{f, path.Base(f.Path)})
	}
	all = append(all, Copied{f, ""})
	return c.below(all, f.Path+"/", at+1)
}

// below adds all files whose paths begin with prefix; they follow each other.
func (c *Context) below(all []Copied, prefix string, from int) []Copied {
	for _, f := range c.files[from:] {
		if !strings.HasPrefix(f.Path, prefix) {
			break
		}
		all = append(all, Copied{f, strings.TrimPrefix(f.Path, prefix)})
	}
	return all
}

// Open opens a regular file of the context. A symbolic link that was put in
// its place is not followed out of it.
func (c *Context) Open(f File) (fs.File, error) { return c.root.Open(f.Path) }

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
		err = fmt.Errorf("it changed while it was read")
	}
	return h.Sum(nil), err
}
