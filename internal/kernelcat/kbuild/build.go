package kbuild

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/google/renameio/v2"

	"banger/internal/model"
	"banger/internal/run"
)

// Bounds of a build's steps. A kernel with all options of our fragments takes
// some 20 minutes of one processor.
const (
	unpackTimeout  = 30 * time.Minute
	configTimeout  = 10 * time.Minute
	compileTimeout = 12 * time.Hour
	grace          = 5 * time.Second
)

// Request is a kernel to build.
type Request struct {
	Dir     string // of the build, made when missing; what is in it is gone on with
	Source  string // kernel tree, or a tar archive of one
	Options []byte // as Config returns them
	Jobs    int    // compilers at a time
}

// Result is what was built.
type Result struct {
	Vmlinux string // path of the ELF kernel
	Config  string // path of its configuration
}

// Build builds a kernel.
//
//	step       what                                               in Dir after
//	tools      what a build needs is installed                    -
//	source     the archive unpacked, whole or not at all          src/
//	configure  nothing but the options, and what they need        out/.config
//	check      the kernel's own rules have left every option      -
//	compile    make, at low priority                              out/vmlinux
//
// When it is ended at any step, the next call with the same Dir goes on there.
// A missing tool is CodeUnsupported; a failed step has the end of what make
// said. stage is told the steps, note what they do.
func Build(ctx context.Context, r Request, stage, note func(string)) (Result, error) {
	if err := checkTools(); err != nil {
		return Result{}, err
	}
	stage("source")
	src, err := r.unpack(ctx, note)
	if err != nil {
		return Result{}, err
	}
	stage("configure")
	out := filepath.Join(r.Dir, "out")
	if err := r.configure(ctx, src, out); err != nil {
		return Result{}, err
	}
	stage("compile")
	if err := r.compile(ctx, src, out, note); err != nil {
		return Result{}, err
	}
	return Result{Vmlinux: filepath.Join(out, "vmlinux"), Config: filepath.Join(out, ".config")}, nil
}

func checkTools() error {
	var missing []string
	for _, tool := range []string{"make", "gcc", "ld", "flex", "bison", "bc", "tar", "nice"} {
		if _, err := exec.LookPath(tool); err != nil {
			missing = append(missing, tool)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return model.Errorf(model.CodeUnsupported, "building a kernel needs %s", strings.Join(missing, ", ")).
		WithHint("on Debian and Ubuntu: apt-get install build-essential flex bison bc libelf-dev libssl-dev")
}

// unpack returns the source tree: the directory that was given, or what its
// archive unpacks to.
func (r Request) unpack(ctx context.Context, note func(string)) (string, error) {
	info, err := os.Stat(r.Source)
	if err != nil {
		return "", model.Errorf(model.CodeInvalid, "reading the kernel's source: %w", err)
	}
	if info.IsDir() {
		return r.Source, checkTree(r.Source)
	}
	src, partial := filepath.Join(r.Dir, "src"), filepath.Join(r.Dir, "src.partial")
	if _, err := os.Stat(src); err == nil {
		return src, checkTree(src)
	}
	note("unpacking " + filepath.Base(r.Source))
	if err := errors.Join(os.RemoveAll(partial), os.MkdirAll(partial, 0o755)); err != nil {
		return "", fmt.Errorf("making the build directory: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, unpackTimeout)
	defer cancel()
	tar := run.Cmd{Name: "tar", Args: []string{
		"--extract", "--file", r.Source, "--directory", partial, "--strip-components=1", "--no-same-owner", "--no-same-permissions",
	}, Grace: grace}
	if _, err := run.Command(ctx, tar); err != nil {
		return "", failure(ctx, "unpacking the kernel's source", err)
	}
	if err := checkTree(partial); err != nil {
		return "", err
	}
	if err := os.Rename(partial, src); err != nil {
		return "", fmt.Errorf("keeping the kernel's source: %w", err)
	}
	return src, nil
}

func checkTree(dir string) error {
	for _, name := range []string{"Makefile", "Kconfig"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			return model.Errorf(model.CodeInvalid, "this is no kernel's source: %w", err)
		}
	}
	return nil
}

// configure makes .config of the options, unless it is there of these already,
// and refuses one that lacks any of them.
func (r Request) configure(ctx context.Context, src, out string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return fmt.Errorf("making the build directory: %w", err)
	}
	asked, config := filepath.Join(out, "flavour.config"), filepath.Join(out, ".config")
	before, err := os.ReadFile(asked)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("reading the build directory: %w", err)
	}
	if _, err := os.Stat(config); err != nil || !bytes.Equal(before, r.Options) {
		wanted := filepath.Join(out, "wanted.config")
		if err := os.WriteFile(wanted, r.Options, 0o644); err != nil {
			return fmt.Errorf("writing the options: %w", err)
		}
		if err := r.make(ctx, configTimeout, src, out, nil, "allnoconfig", "KCONFIG_ALLCONFIG="+wanted); err != nil {
			return failure(ctx, "configuring the kernel", err)
		}
		if err := renameio.WriteFile(asked, r.Options, 0o644); err != nil {
			return fmt.Errorf("writing the options: %w", err)
		}
	}
	got, err := os.ReadFile(config)
	if err != nil {
		return fmt.Errorf("reading the configuration: %w", err)
	}
	if err := checkRequired(got); err != nil {
		return err
	}
	return checkDropped(r.Options, got)
}

func (r Request) compile(ctx context.Context, src, out string, note func(string)) error {
	progress := &counter{note: note}
	if err := r.make(ctx, compileTimeout, src, out, progress, "vmlinux"); err != nil {
		return failure(ctx, "compiling the kernel", err)
	}
	return nil
}

// make runs make on the tree at low priority. Who built it, where and when is
// not in the kernel, so that the same source and options give the same bytes.
func (r Request) make(ctx context.Context, limit time.Duration, src, out string, stdout io.Writer, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if stdout == nil {
		stdout = io.Discard
	}
	_, err := run.Command(ctx, run.Cmd{
		Name: "nice", Grace: grace, Stdout: stdout,
		Args: append([]string{
			"-n", "10", "make", "-C", src, "O=" + out, "-j" + strconv.Itoa(max(1, r.Jobs)),
			"KBUILD_BUILD_USER=banger", "KBUILD_BUILD_HOST=banger", "KBUILD_BUILD_TIMESTAMP=@0",
		}, args...),
	})
	return err
}

// failure gives a failed step its code: the caller ended it, it took too long,
// or the source is at fault.
func failure(ctx context.Context, what string, err error) error {
	switch {
	case ctx.Err() != nil:
		return model.Errorf(model.CodeCanceled, "%s: %w", what, err)
	case errors.Is(err, context.DeadlineExceeded):
		return model.Errorf(model.CodeTimeout, "%s: %w", what, err)
	}
	return model.Errorf(model.CodeInvalid, "%s: %w", what, err)
}
