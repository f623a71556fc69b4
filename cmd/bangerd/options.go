package main

import (
	"errors"
	"flag"
	"io"
	"path/filepath"
	"time"

	"banger/internal/config"
	"banger/internal/failpoint"
	"banger/internal/model"
	"banger/internal/vmm/qemu"
)

// options is the command line.
type options struct {
	help    bool
	version bool
	settings
}

// settings are what a user may decide about a daemon.
type settings struct {
	paths          model.Paths
	accel          qemu.Accel // "": KVM where it can run kernels, else TCG
	kernelRegistry string     // HOST[/PREFIX] that the catalog's artifacts are in; "": none
	config         config.Config
	told           model.Settings // of config, for those who ask
	bootTimeout    time.Duration  // of one try to boot; 0: the VM service's own
	failpoints     *failpoint.Set // nil but in tests
}

// parseOptions reads the flags; directories that are not given follow the
// environment.
func parseOptions(args []string, getenv func(string) string, uid int, stderr io.Writer) (options, error) {
	var opts options
	var given model.Paths
	flags := flag.NewFlagSet("bangerd", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.BoolVar(&opts.version, "version", false, "print the version and exit")
	flags.StringVar(&given.Config, "config", "", "`directory` of settings")
	flags.StringVar(&given.State, "state", "", "`directory` of the database, images, kernels and VMs")
	flags.StringVar(&given.Cache, "cache", "", "`directory` of what can be made again")
	flags.StringVar(&given.Run, "run", "", "`directory` of sockets")
	flags.StringVar(&opts.kernelRegistry, "kernel-registry", "", "`registry` (HOST[:PORT][/PREFIX]) that has the catalog's kernels")
	flags.DurationVar(&opts.bootTimeout, "boot-timeout", 0, "`time` that a guest has to come up (default: 20s with KVM, 60s without)")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return options{help: true}, nil
		}
		return opts, model.Errorf(model.CodeInvalid, "reading the command line: %w", err)
	}
	if flags.NArg() > 0 {
		return opts, model.Errorf(model.CodeInvalid, "unexpected argument %q", flags.Arg(0)).WithHint("see `bangerd -help`")
	}
	if opts.version {
		return opts, nil
	}
	if given.Config == "" || given.State == "" || given.Cache == "" || given.Run == "" {
		var err error
		if opts.paths, err = model.DefaultPaths(getenv, uid); err != nil {
			return opts, err
		}
	}
	if err := opts.fromEnvironment(getenv); err != nil {
		return opts, err
	}
	return opts, override(&opts.paths, given)
}

// fromEnvironment takes what reaches a daemon that the CLI starts: BANGER_ACCEL,
// BANGER_BOOT_TIMEOUT and BANGER_KERNEL_REGISTRY; and BANGER_FAILPOINTS, which
// only tests set.
func (s *settings) fromEnvironment(getenv func(string) string) error {
	switch accel := qemu.Accel(getenv("BANGER_ACCEL")); accel {
	case qemu.AccelAuto, qemu.AccelKVM, qemu.AccelTCG:
		s.accel = accel
	default:
		return model.Errorf(model.CodeInvalid, "BANGER_ACCEL is %q: kvm or tcg is needed", accel)
	}
	if s.kernelRegistry == "" {
		s.kernelRegistry = getenv("BANGER_KERNEL_REGISTRY")
	}
	var err error
	if s.failpoints, err = failpoint.Parse(getenv("BANGER_FAILPOINTS")); err != nil {
		return err
	}
	if text := getenv("BANGER_BOOT_TIMEOUT"); text != "" && s.bootTimeout == 0 {
		limit, err := time.ParseDuration(text)
		if err != nil || limit <= 0 {
			return model.Errorf(model.CodeInvalid, "BANGER_BOOT_TIMEOUT is %q: a duration such as 90s is needed", text)
		}
		s.bootTimeout = limit
	}
	return nil
}

// override puts the directories that were given over those of paths.
func override(paths *model.Paths, given model.Paths) error {
	for _, dir := range []struct {
		flag  string
		given string
		to    *string
	}{
		{"-config", given.Config, &paths.Config},
		{"-state", given.State, &paths.State},
		{"-cache", given.Cache, &paths.Cache},
		{"-run", given.Run, &paths.Run},
	} {
		if dir.given == "" {
			continue
		}
		if !filepath.IsAbs(dir.given) {
			return model.Errorf(model.CodeInvalid, "%s is %q: an absolute path is needed", dir.flag, dir.given)
		}
		*dir.to = dir.given
	}
	return nil
}
