package image

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"banger/internal/dockerfile"
	"banger/internal/ext4"
	"banger/internal/imagepush"
	"banger/internal/imagetree"
	"banger/internal/model"
)

// copyFrom runs a COPY from a stage or an image.
func (st *dockerStage) copyFrom(ctx context.Context, at int, c copying) error {
	d, from := st.build, c.in.Flag("from")
	source, err := d.source(ctx, at, from)
	if err != nil {
		return model.Errorf(model.CodeOf(err), "Dockerfile line %d: COPY --from=%s: %w", c.in.Line, from, err)
	}
	if _, isStage := d.file.StageBefore(from, at); !isStage {
		defer source.image.Close()
	}
	step := dockerfile.Step{Text: c.text(), Files: source.image.Digest}
	return st.cachedStep(ctx, step, func(ctx context.Context) (*imagepush.Image, string, error) {
		tree, err := source.openTree(ctx)
		if err == nil && tree == nil {
			err = model.Errorf(model.CodeNotFound, "it has no files")
		}
		if err != nil {
			return nil, "", model.Errorf(model.CodeOf(err), "Dockerfile line %d: COPY --from=%s: %w", c.in.Line, from, err)
		}
		defer tree.Close()
		var files []placed
		for _, src := range c.sources {
			more, left, err := filesOf(ctx, tree, src)
			if err != nil {
				return nil, "", model.Errorf(model.CodeOf(err), "Dockerfile line %d: COPY --from=%s: %w", c.in.Line, from, err)
			}
			files = append(files, more...)
			for _, why := range slices.Compact(left) {
				d.op.Report(model.Progress{Note: "left out: " + why})
			}
		}
		return st.place(ctx, c, files)
	})
}

// source returns the stage, or the image as a stage, that files come from.
func (d *dockerBuild) source(ctx context.Context, at int, from string) (*dockerStage, error) {
	if i, found := d.file.StageBefore(from, at); found {
		return d.stages[i], nil
	}
	return d.beginImage(ctx, from, "")
}

// filesOf returns the files of a tree that a source means: a path, or a
// pattern of path.Match, whose wildcards match no slash. A directory is all
// below it.
func filesOf(ctx context.Context, tree *imagetree.Tree, src string) ([]placed, []string, error) {
	names, err := expandPattern(tree, src)
	if err != nil {
		return nil, nil, err
	}
	var files []placed
	var left []string
	for _, name := range names {
		more, skipped, err := filesAt(ctx, tree, name)
		if err != nil {
			return nil, nil, err
		}
		files, left = append(files, more...), append(left, skipped...)
	}
	if len(files) == 0 {
		return nil, nil, model.Errorf(model.CodeNotFound, "%s is not there", model.Printable(src))
	}
	return files, left, nil
}

// expandPattern returns the paths that a pattern may mean, sorted; of what
// comes behind the last wildcard it is not known whether it is there.
func expandPattern(tree *imagetree.Tree, pattern string) ([]string, error) {
	found := []string{"/"}
	for part := range strings.SplitSeq(strings.Trim(path.Clean("/"+pattern), "/"), "/") {
		var next []string
		for _, dir := range found {
			more, err := matching(tree, dir, part)
			if err != nil {
				return nil, model.Errorf(model.CodeInvalid, "source %q: %w", pattern, err)
			}
			next = append(next, more...)
		}
		found = next
	}
	slices.Sort(found)
	return found, nil
}

// matching returns what one part of a pattern matches in a directory.
func matching(tree *imagetree.Tree, dir, part string) (found []string, err error) {
	if !strings.ContainsAny(part, `*?[\`) {
		return []string{path.Join(dir, part)}, nil
	}
	if _, err := path.Match(part, ""); err != nil {
		return nil, err
	}
	at, err := resolvePath(tree, dir, true)
	if err != nil {
		return nil, err
	}
	n, err := tree.FS().Lookup(at)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !n.IsDir() {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	entries, err := n.ReadDir()
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if match, _ := path.Match(part, e.Name); match {
			found = append(found, path.Join(dir, e.Name))
		}
	}
	return found, nil
}

// filesAt returns a file of a tree, or a directory and all below it, and why
// files are left out; nothing when it is not there.
func filesAt(ctx context.Context, tree *imagetree.Tree, src string) (files []placed, left []string, err error) {
	at, err := resolvePath(tree, src, true)
	if err != nil {
		return nil, nil, err
	}
	walker, err := tree.FS().NewWalker(at)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	for {
		name, n, err := walker.Next()
		if errors.Is(err, io.EOF) {
			return files, left, nil
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return nil, nil, err
		}
		if name == "/lost+found" { // the filesystem's own
			walker.SkipDir()
			continue
		}
		if why := imagepush.SkipReason(name, n); why != "" {
			left = append(left, why)
			continue
		}
		p, err := fromInode(name, n)
		if err != nil {
			return nil, nil, model.Errorf(model.CodeUnsupported, "%s: %w", model.Printable(name), err)
		}
		p.to = strings.TrimPrefix(strings.TrimPrefix(name, at), "/")
		if name == at && !n.IsDir() {
			p.to = path.Base(src)
		}
		files = append(files, p)
	}
}

func fromInode(name string, n *ext4.Inode) (placed, error) {
	h, err := imagepush.Header(name, n)
	if err != nil {
		return placed{}, err
	}
	p := placed{newFile: newFile{Header: *h}}
	if h.Typeflag == tar.TypeReg {
		p.open = func() (io.ReadCloser, error) {
			r, err := n.Open()
			return io.NopCloser(r), err
		}
	}
	return p, nil
}
