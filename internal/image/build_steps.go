package image

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"slices"
	"strings"

	"banger/internal/buildvm"
	"banger/internal/failpoint"
	"banger/internal/imagemgr"
	"banger/internal/model"
	"banger/internal/provision"
)

// runSteps runs the steps in a VM of the staged filesystem, and switches it
// off. What they say is in the log.
func (b *build) runSteps(ctx context.Context, staging imagemgr.Staging) (err error) {
	log, err := createBuildLog(staging.Path(model.BuildLogFile), b.op.Report)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	console := staging.Path(model.ConsoleFile)
	spec := b.vm
	spec.Rootfs, spec.Console, spec.Kernel, spec.Boot = staging.Path(model.RootfsFile), console, b.kernel, b.boot
	b.op.Stage("boot")
	err = b.service.cfg.Machines.With(ctx, spec, b.op.Report, func(ctx context.Context, g *buildvm.Guest) error {
		b.img.Source.Build.Kernel = model.Printable(g.Release())
		for _, step := range b.steps {
			if err := b.runStep(ctx, g, step, log); err != nil {
				return err
			}
		}
		if err := b.findModules(ctx, g, log); err != nil {
			return err
		}
		b.op.Stage("off")
		return nil
	})
	if err != nil {
		return err
	}
	return os.Remove(console) // a kernel's boot is not what an image is of
}

// runStep runs one script. A failure has its place and the end of the log.
func (b *build) runStep(ctx context.Context, g *buildvm.Guest, step provision.Step, log *buildLog) error {
	b.op.Stage(step.Name)
	log.begin(step.Name)
	status, err := g.Run(ctx, buildvm.Process{
		Argv: provision.RunCommand(log.mark, step.Script), Env: b.env(), User: "0",
		Stdin: strings.NewReader(step.Script), Stdout: log, Stderr: log,
	})
	if err := errors.Join(err, log.flush()); err != nil {
		return err
	}
	if err := failpoint.Hit(ctx, "image.build/step"); err != nil {
		return err
	}
	if status.Code == 0 {
		return nil
	}
	return stepError(step, status, log)
}

// env is what the steps see: the base's variables, and over them the user's.
func (b *build) env() []string {
	own := slices.DeleteFunc(slices.Clone(b.base.Config.Env), func(kv string) bool {
		return strings.IndexByte(kv, '=') < 1 || strings.IndexByte(kv, 0) >= 0
	})
	return append(own, b.params.Env...)
}

// findModules lets modprobe find the modules of the kernel that are in the
// image, if there are any: packages may have brought some.
func (b *build) findModules(ctx context.Context, g *buildvm.Guest, log *buildLog) error {
	release := g.Release()
	if release == "" || strings.ContainsAny(release, "/\x00") {
		return nil // no kernel's
	}
	status, err := g.Run(ctx, buildvm.Process{Argv: provision.BuildModulesCommand(release), User: "0", Stdout: log, Stderr: log})
	if err := errors.Join(err, log.flush()); err != nil {
		return err
	}
	if status.Code != 0 && status.Err == "" { // a guest without a shell has no modprobe either
		return stepError(provision.Step{Name: "depmod"}, status, log)
	}
	return nil
}

// stepError is what the user sees of a step that failed.
func stepError(step provision.Step, status model.ExitStatus, log *buildLog) error {
	var where string
	if text, n := log.failedLine(step.Script); step.Own && n > 0 {
		where = " at line " + text
	}
	if status.Err != "" {
		return model.Errorf(model.CodeFailed, "%s could not be run: %s", step.Name, model.Printable(status.Err)).
			WithHint("a build needs a base image with /bin/sh")
	}
	return model.Errorf(model.CodeFailed, "%s failed%s with status %d%s", step.Name, where, status.Code, log.lastWords()).
		WithHint("nothing of the build was kept; try the step by hand: banger run --rm -it IMAGE -- sh")
}

// newMark returns a word that no script says.
func newMark() string { return "banger-build-" + strings.ToLower(rand.Text()) }
