package image

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/klauspost/compress/gzip"

	"banger/internal/buildcontext"
	"banger/internal/dockerfile"
	"banger/internal/imagepush"
	"banger/internal/model"
)

// copying is a COPY or ADD whose variables are expanded.
type copying struct {
	in      dockerfile.Instruction
	sources []string
	target  string // absolute
	isDir   bool   // the target is one, since it ends in a slash or has several sources
	owner   string // of --chown
	mode    string // of --chmod
}

// copy runs a COPY or ADD.
func (st *dockerStage) copy(ctx context.Context, at int, in dockerfile.Instruction) error {
	c, err := st.planCopy(in)
	if err != nil {
		return err
	}
	if in.Flag("from") != "" {
		return st.copyFrom(ctx, at, c)
	}
	d := st.build
	selected, err := d.context.Select(c.sources)
	if err == nil && in.Name == "ADD" {
		err = d.refuseArchives(selected)
	}
	var digest string
	if err == nil {
		digest, err = d.context.Digest(ctx, selected)
	}
	if err != nil {
		return model.Errorf(model.CodeOf(err), "Dockerfile line %d: %s: %w", in.Line, in.Name, err)
	}
	return st.cachedStep(ctx, dockerfile.Step{Text: c.text(), Files: digest}, func(ctx context.Context) (*imagepush.Image, string, error) {
		var files []placed
		for _, f := range selected {
			p, err := d.fromContext(f)
			if err != nil {
				return nil, "", model.Errorf(model.CodeOf(err), "Dockerfile line %d: %s: %w", in.Line, in.Name, err)
			}
			files = append(files, p)
		}
		return st.place(ctx, c, files)
	})
}

// planCopy expands and checks an instruction.
func (st *dockerStage) planCopy(in dockerfile.Instruction) (c copying, err error) {
	c = copying{in: in}
	escape := st.build.file.Escape
	words, err := in.Words(escape, st.state.Lookup)
	if err == nil {
		c.owner, err = dockerfile.Expand(in.Flag("chown"), escape, st.state.Lookup)
	}
	if err == nil {
		c.mode, err = dockerfile.Expand(in.Flag("chmod"), escape, st.state.Lookup)
	}
	switch {
	case err != nil:
		return c, model.Errorf(model.CodeInvalid, "Dockerfile line %d: %s: %w", in.Line, in.Name, err)
	case len(words) < 2:
		return c, model.Errorf(model.CodeInvalid, "Dockerfile line %d: %s SOURCE... TARGET is wanted", in.Line, in.Name)
	}
	last := words[len(words)-1]
	c.sources, c.target = words[:len(words)-1], st.state.Absolute(last)
	c.isDir = len(c.sources) > 1 || strings.HasSuffix(last, "/") || last == "." || strings.HasSuffix(last, "/.")
	for _, src := range c.sources {
		if in.Name == "ADD" && (strings.Contains(src, "://") || strings.HasPrefix(src, "git@")) {
			return c, model.Errorf(model.CodeUnsupported, "Dockerfile line %d: ADD of an address is not supported", in.Line).WithHint("fetch it in a RUN, or put it into the context")
		}
	}
	return c, nil
}

// text is what a step does, for its key.
func (c copying) text() string {
	return strings.Join(append([]string{c.in.Name, c.owner, c.mode, c.target, map[bool]string{true: "dir"}[c.isDir]}, c.sources...), "\x00")
}

// placed is a file, and where it comes to lie below the target.
type placed struct {
	newFile
	to string // "" is the target itself, which is a directory
}

func (d *dockerBuild) fromContext(f buildcontext.Copied) (placed, error) {
	p := placed{to: f.To}
	p.Mode, p.Size, p.ModTime = int64(f.Mode.Perm()), f.Size, f.ModTime
	for bit, value := range map[fs.FileMode]int64{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if f.Mode&bit != 0 {
			p.Mode |= value
		}
	}
	switch {
	case f.Mode.IsDir():
		p.Typeflag, p.Size = tar.TypeDir, 0
	case f.Mode.IsRegular():
		p.Typeflag = tar.TypeReg
		p.open = func() (io.ReadCloser, error) { return d.context.Open(f.File) }
	case f.Mode&fs.ModeSymlink != 0:
		p.Typeflag, p.Linkname, p.Size = tar.TypeSymlink, f.Link, 0
	default:
		return p, model.Errorf(model.CodeUnsupported, "%s is neither a file, a directory nor a symbolic link", model.Printable(f.Path))
	}
	return p, nil
}

// refuseArchives refuses what other builders would unpack: an archive that a
// source names, not one in a directory.
func (d *dockerBuild) refuseArchives(files []buildcontext.Copied) error {
	for _, f := range files {
		if !f.Named || !f.Mode.IsRegular() {
			continue
		}
		r, err := d.context.Open(f.File)
		if err != nil {
			return err
		}
		head := make([]byte, 64<<10)
		n, _ := io.ReadFull(r, head)
		_ = r.Close()
		if looksPacked(head[:n]) {
			return model.Errorf(model.CodeUnsupported, "%s is an archive: unpacking it is not supported", model.Printable(f.Path)).WithHint("COPY it, and unpack it in a RUN")
		}
	}
	return nil
}

// looksPacked knows tar archives by their beginning, and takes what is
// compressed for one unless it is seen that it is none.
func looksPacked(head []byte) bool {
	switch {
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		z, err := gzip.NewReader(bytes.NewReader(head))
		return err != nil || mayBeTar(z)
	case bytes.HasPrefix(head, []byte("BZh")), bytes.HasPrefix(head, []byte("\xfd7zXZ\x00")), bytes.HasPrefix(head, []byte("\x28\xb5\x2f\xfd")):
		return true
	}
	return isTar(head)
}

// mayBeTar reads the first block of an archive that was cut off.
func mayBeTar(r io.Reader) bool {
	block := make([]byte, 512)
	n, _ := io.ReadFull(r, block) // fewer bytes are no archive
	return isTar(block[:n])
}

func isTar(block []byte) bool { return len(block) >= 262 && string(block[257:262]) == "ustar" }

// place puts files where the target says.
func (st *dockerStage) place(ctx context.Context, c copying, files []placed) (*imagepush.Image, string, error) {
	own, err := st.ownership(ctx, c.owner, c.mode)
	if err != nil {
		return nil, "", model.Errorf(model.CodeOf(err), "Dockerfile line %d: %s: %w", c.in.Line, c.in.Name, err)
	}
	isDir := c.isDir || len(files) != 1 || files[0].to == ""
	if !isDir {
		if isDir, err = st.isDirectory(ctx, c.target); err != nil {
			return nil, "", err
		}
	}
	var all []newFile
	for _, f := range files {
		f.Name = c.target
		if isDir {
			f.Name = path.Join(c.target, f.to)
		}
		if f.to == "" { // the directory that is copied gives its content alone
			f.newFile = newFile{Header: tar.Header{Name: f.Name, Typeflag: tar.TypeDir, Mode: 0o755}, keeps: true}
		}
		own.apply(&f.Header)
		all = append(all, f.newFile)
	}
	return st.addFiles(ctx, c.in, own, all)
}

// isDirectory tells whether a path is a directory in the stage's files.
func (st *dockerStage) isDirectory(ctx context.Context, name string) (bool, error) {
	tree, err := st.openTree(ctx)
	if err != nil || tree == nil {
		return name == "/", err
	}
	defer tree.Close()
	at, err := resolvePath(tree, name, true)
	if err != nil {
		return name == "/", nil
	}
	info, err := tree.FS().Stat(at)
	return err == nil && info.IsDir(), nil
}
