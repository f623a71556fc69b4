package image

import (
	"archive/tar"
	"context"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"banger/internal/buildvm"
	"banger/internal/dockerfile"
	"banger/internal/failpoint"
	"banger/internal/imagepush"
	"banger/internal/imagetree"
	"banger/internal/model"
)

// run runs a RUN in a VM of the stage's filesystem. What differs then is the
// layer.
func (st *dockerStage) run(ctx context.Context, in dockerfile.Instruction) error {
	step := dockerfile.Step{Text: in.String() + "\n" + in.Script(), Network: string(st.build.params.Network), State: &st.state}
	return st.cachedStep(ctx, step, func(ctx context.Context) (*imagepush.Image, string, error) {
		from, err := st.openTree(ctx)
		if err != nil {
			return nil, "", err
		}
		if from == nil {
			return nil, "", model.Errorf(model.CodeInvalid, "Dockerfile line %d: there is nothing to RUN in an image without files", in.Line)
		}
		defer from.Close()
		rootfs := st.build.newTree()
		if err := st.build.service.cloneRootfs(ctx, st.tree, rootfs); err != nil {
			return nil, "", err
		}
		if err := st.runInVM(ctx, in, rootfs); err != nil {
			return nil, "", err
		}
		to, err := imagetree.Open(rootfs)
		if err != nil {
			return nil, "", err
		}
		defer to.Close()
		made := imagepush.Difference{From: from, To: to, Without: ofTheGuest()}
		img, err := imagepush.Append(ctx, st.build.service.cfg.Cache, st.image, made, st.made(in), st.build.op.Report)
		return img, rootfs, err
	})
}

// ofTheGuest are the files that the guest's agent writes at each start: what
// they are during a RUN stays in its VM, as with other builders.
func ofTheGuest() []string { return []string{"/etc/hostname", "/etc/hosts", "/etc/resolv.conf"} }

// runInVM boots rootfs for the process of one RUN.
func (st *dockerStage) runInVM(ctx context.Context, in dockerfile.Instruction, rootfs string) error {
	d := st.build
	spec := d.vm
	spec.Rootfs, spec.Console, spec.Kernel, spec.Boot = rootfs, d.staging.Path(model.ConsoleFile), st.kernel, st.boot
	err := d.service.cfg.Machines.With(ctx, spec, d.reportMachine, func(ctx context.Context, g *buildvm.Guest) error {
		status, err := g.Run(ctx, buildvm.Process{
			Argv: st.state.Command(in), Env: st.env(), WorkingDir: st.state.Config.WorkingDir, User: st.state.Config.User,
			Stdout: d.log, Stderr: d.log,
		})
		if err != nil {
			return err
		}
		if err := d.log.flush(); err != nil {
			return err
		}
		return runError(in, status, d.log)
	})
	if err != nil {
		return err
	}
	if err := os.Remove(spec.Console); err != nil {
		return err
	}
	if err := failpoint.Hit(ctx, "image.dockerfile/ran"); err != nil {
		return err
	}
	return checkClean(rootfs)
}

// reportMachine passes on what the first of several VMs says of this host, and
// not again what the others do.
func (d *dockerBuild) reportMachine(p model.Progress) {
	if p.Note != "" {
		if _, before := d.said.LoadOrStore(p.Note, true); before {
			return
		}
	}
	d.op.Report(p)
}

// runError is what the user sees of a RUN that failed; nil of one that did not.
func runError(in dockerfile.Instruction, status model.ExitStatus, log *buildLog) error {
	if status.Err != "" {
		return model.Errorf(model.CodeFailed, "Dockerfile line %d: %s could not be run: %s", in.Line, model.Printable(in.String()), model.Printable(status.Err)).
			WithHint("the shell form needs /bin/sh in the image, and a name in USER a line in its /etc/passwd")
	}
	if status.Code == 0 {
		return nil
	}
	return model.Errorf(model.CodeFailed, "Dockerfile line %d: %s failed with status %d%s", in.Line, model.Printable(in.String()), status.Code, log.lastWords()).
		WithHint("the steps before it are in the cache: mend it and build again")
}

// env is what a RUN sees: ENV goes before ARG. What a proxy is called needs no
// ARG, and does not count for the cache.
func (st *dockerStage) env() []string {
	var env []string
	for _, name := range slices.Sorted(maps.Keys(st.state.Args)) {
		env = append(env, name+"="+st.state.Args[name])
	}
	for _, name := range slices.Sorted(maps.Keys(st.build.given)) {
		if _, declared := st.state.Args[name]; !declared && dockerfile.IsProxy(name) {
			env = append(env, name+"="+st.build.given[name])
		}
	}
	for _, kv := range st.state.Config.Env {
		if strings.IndexByte(kv, '=') > 0 && strings.IndexByte(kv, 0) < 0 {
			env = append(env, kv)
		}
	}
	return env
}

// made is what the history tells of a layer.
func (st *dockerStage) made(in dockerfile.Instruction) imagepush.Step {
	return imagepush.Step{CreatedBy: in.String(), Created: st.build.service.cfg.Now().UTC().Truncate(time.Second)}
}

// workdir makes the working directory, unless it is there. It belongs to USER.
func (st *dockerStage) workdir(ctx context.Context, in dockerfile.Instruction) error {
	d := st.build
	if err := st.state.Apply(in, d.file.Escape, d.given, d.global); err != nil {
		return err
	}
	dir := st.state.Config.WorkingDir
	step := dockerfile.Step{Text: "WORKDIR " + dir + "\x00" + st.state.Config.User}
	return st.cachedStep(ctx, step, func(ctx context.Context) (*imagepush.Image, string, error) {
		own, err := st.ownership(ctx, st.state.Config.User, "")
		if model.CodeOf(err) == model.CodeNotFound {
			own, err = ownership{}, nil // a RUN of that user says so
		}
		if err != nil {
			return nil, "", err
		}
		made := newFile{Header: tar.Header{Name: dir, Typeflag: tar.TypeDir, Mode: 0o755}, keeps: true}
		own.apply(&made.Header)
		return st.addFiles(ctx, in, own, []newFile{made})
	})
}

// newFile is a file to be put into an image. Its name is absolute and may lead
// over symbolic links.
type newFile struct {
	tar.Header
	open  func() (io.ReadCloser, error) // of a regular file
	keeps bool                          // a directory that is there keeps what it is
}
