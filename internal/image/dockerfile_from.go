package image

import (
	"archive/tar"
	"bufio"
	"context"
	"errors"
	"io"
	"path"
	"strconv"
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
			more, err := filesOf(ctx, tree, src)
			if err != nil {
				return nil, "", model.Errorf(model.CodeOf(err), "Dockerfile line %d: COPY --from=%s: %w", c.in.Line, from, err)
			}
			files = append(files, more...)
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

// filesOf returns a file of a tree, or a directory and all below it.
func filesOf(ctx context.Context, tree *imagetree.Tree, src string) ([]placed, error) {
	if strings.ContainsAny(src, "*?[") {
		return nil, model.Errorf(model.CodeUnsupported, "%s: patterns are not supported with --from", src)
	}
	at, err := resolvePath(tree, src, true)
	if err != nil {
		return nil, err
	}
	walker, err := tree.FS().NewWalker(at)
	if err != nil {
		return nil, model.Errorf(model.CodeNotFound, "%s is not there", model.Printable(src))
	}
	var files []placed
	for {
		name, n, err := walker.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err = errors.Join(err, ctx.Err()); err != nil {
			return nil, err
		}
		p, err := fromInode(n)
		if err != nil {
			return nil, model.Errorf(model.CodeUnsupported, "%s: %w", model.Printable(name), err)
		}
		p.to = strings.TrimPrefix(strings.TrimPrefix(name, at), "/")
		if name == at && !n.IsDir() {
			p.to = path.Base(src)
		}
		files = append(files, p)
	}
}

func fromInode(n *ext4.Inode) (placed, error) {
	p := placed{}
	p.Typeflag, p.Mode, p.Uid, p.Gid = fileType(n), int64(n.Mode&0o7777), int(n.UID), int(n.GID)
	p.ModTime = n.MTime
	var err error
	switch p.Typeflag {
	case tar.TypeReg:
		p.Size = n.Size
		p.open = func() (io.ReadCloser, error) {
			r, err := n.Open()
			return io.NopCloser(r), err
		}
	case tar.TypeSymlink:
		p.Linkname, err = n.Readlink()
	case 0:
		err = errors.New("devices, pipes and sockets are not copied")
	}
	return p, err
}

// ownership is what --chown and --chmod say.
type ownership struct {
	owned    bool
	uid, gid int
	moded    bool
	mode     int64
}

// newOwnership looks names up in the tree that files are put into.
func newOwnership(tree *imagetree.Tree, owner, mode string) (o ownership, err error) {
	if mode != "" {
		m, err := strconv.ParseUint(mode, 8, 12)
		if err != nil {
			return o, model.Errorf(model.CodeUnsupported, "--chmod=%s: an octal mode is wanted", model.Printable(mode))
		}
		o.moded, o.mode = true, int64(m)
	}
	if owner == "" {
		return o, nil
	}
	user, group, both := strings.Cut(owner, ":")
	o.owned = true
	if o.uid, err = lookupID(tree, "/etc/passwd", user); err != nil {
		return o, err
	}
	o.gid = o.uid // as docker does
	if both {
		o.gid, err = lookupID(tree, "/etc/group", group)
	}
	return o, err
}

func (o ownership) apply(h *tar.Header) {
	if o.owned {
		h.Uid, h.Gid = o.uid, o.gid
	}
	if o.moded && h.Typeflag != tar.TypeSymlink {
		h.Mode = o.mode
	}
}

// maxAccounts bounds how much of /etc/passwd is read, in bytes.
const maxAccounts = 1 << 20

// lookupID returns the number of a user or a group (passwd(5), group(5)).
func lookupID(tree *imagetree.Tree, file, name string) (int, error) {
	if n, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(n), nil
	}
	unknown := model.Errorf(model.CodeNotFound, "--chown: %s has no %q", file, name).WithHint("give numbers: --chown=UID:GID")
	if tree == nil {
		return 0, unknown
	}
	at, err := resolvePath(tree, file, true)
	if err != nil {
		return 0, err
	}
	r, err := tree.FS().OpenFile(at)
	if err != nil {
		return 0, unknown
	}
	lines := bufio.NewScanner(io.LimitReader(r, maxAccounts))
	for lines.Scan() {
		fields := strings.Split(lines.Text(), ":")
		if len(fields) < 3 || fields[0] != name {
			continue
		}
		if n, err := strconv.ParseUint(fields[2], 10, 31); err == nil {
			return int(n), nil
		}
	}
	return 0, unknown
}
