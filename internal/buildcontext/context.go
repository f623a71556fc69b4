package buildcontext

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"

	"banger/internal/model"
)

// Bounds of a context.
const (
	maxFiles      = 1 << 20
	maxDockerfile = 1 << 20 // bytes; .dockerignore too
)

// File is what a context has under one name.
type File struct {
	Path    string // below the context, with slashes
	Mode    fs.FileMode
	Size    int64
	ModTime time.Time
	Link    string // of a symbolic link
}

// Context is a directory that was listed once. Its methods are not safe for
// concurrent use.
type Context struct {
	root  *os.Root
	files []File            // sorted by path as directories are walked
	at    map[string]int    // indices of files, by path
	sums  map[string][]byte // of the contents of files, by path, where known
}

// Open lists a directory, without what its .dockerignore names. dockerfile is
// the Dockerfile's path below it, or "" for one that lies elsewhere: an ignore
// file may have its name. The Context is to be closed.
func Open(ctx context.Context, dir, dockerfile string) (*Context, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, model.Errorf(model.CodeNotFound, "opening the build context: %w", err)
	}
	c := &Context{root: root, at: map[string]int{}, sums: map[string][]byte{}}
	ignore, err := c.ignored(dockerfile)
	if err == nil {
		err = c.list(ctx, ignore)
	}
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return c, nil
}

// Close lets go of the directory.
func (c *Context) Close() error { return c.root.Close() }

// ignored reads the ignore file.
func (c *Context) ignored(dockerfile string) (*patternmatcher.PatternMatcher, error) {
	names := []string{".dockerignore"}
	if dockerfile != "" {
		names = []string{dockerfile + ".dockerignore", ".dockerignore"}
	}
	for _, name := range names {
		text, err := readSmall(c.root, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, model.Errorf(model.CodeOf(err), "reading %s: %w", name, err)
		}
		patterns, err := ignorefile.ReadAll(strings.NewReader(text))
		if err != nil {
			return nil, model.Errorf(model.CodeInvalid, "reading %s: %w", name, err)
		}
		m, err := patternmatcher.New(patterns)
		if err != nil {
			return nil, model.Errorf(model.CodeInvalid, "reading %s: %w", name, err)
		}
		return m, nil
	}
	return patternmatcher.New(nil)
}

// list walks the directory. A directory that is ignored is still walked when a
// pattern with ! may bring something of it back.
func (c *Context) list(ctx context.Context, ignore *patternmatcher.PatternMatcher) error {
	parents := map[string]patternmatcher.MatchInfo{}
	left := map[string]bool{} // directories
	err := fs.WalkDir(c.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil && left[name] {
			return fs.SkipDir // what is ignored need not be readable
		}
		if err = errors.Join(err, ctx.Err()); err != nil || name == "." {
			return err
		}
		matched, info, err := ignore.MatchesUsingParentResults(name, parents[path.Dir(name)])
		if err != nil {
			return err
		}
		if d.IsDir() {
			parents[name] = info
		}
		switch {
		case matched && d.IsDir() && !ignore.Exclusions():
			return fs.SkipDir
		case matched:
			left[name] = d.IsDir()
			return nil
		}
		return c.add(name)
	})
	if err != nil {
		return model.Errorf(model.CodeOf(err), "reading the build context: %w", err)
	}
	return nil
}

// add takes a file into the list, and before it the directories above it: they
// may be ignored while it is not.
func (c *Context) add(name string) error {
	if _, known := c.at[name]; known {
		return nil
	}
	if dir := path.Dir(name); dir != "." {
		if err := c.add(dir); err != nil {
			return err
		}
	}
	if len(c.files) >= maxFiles {
		return model.Errorf(model.CodeLimit, "it has more than %d files", maxFiles).WithHint("name what the build does not need in .dockerignore")
	}
	info, err := c.root.Lstat(name)
	if err != nil {
		return err
	}
	f := File{Path: name, Mode: info.Mode(), Size: info.Size(), ModTime: info.ModTime()}
	if f.Mode&fs.ModeSymlink != 0 {
		if f.Link, err = c.root.Readlink(name); err != nil {
			return err
		}
	}
	c.at[name] = len(c.files)
	c.files = append(c.files, f)
	return nil
}

// ReadDockerfile reads the Dockerfile of that path below dir.
func ReadDockerfile(dir, name string) (string, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", model.Errorf(model.CodeNotFound, "opening the build context: %w", err)
	}
	text, err := readSmall(root, name)
	if err = errors.Join(err, root.Close()); err != nil {
		code := model.CodeInvalid
		if errors.Is(err, fs.ErrNotExist) {
			code = model.CodeNotFound
		}
		return "", model.Errorf(code, "reading the Dockerfile: %w", err).WithHint("name it: banger image build -t NAME -f FILE DIR")
	}
	return text, nil
}

// readSmall reads a regular file, of which not too much is there.
func readSmall(root *os.Root, name string) (string, error) {
	info, err := root.Stat(name)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() || info.Size() > maxDockerfile {
		return "", model.Errorf(model.CodeInvalid, "%s is no regular file of at most %d bytes", name, maxDockerfile)
	}
	text, err := root.ReadFile(name)
	return string(text), err
}
