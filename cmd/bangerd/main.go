// Command bangerd is the daemon of banger: it keeps images, kernels and VMs,
// and answers on a unix socket. banger starts it when it is needed.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"banger/internal/config"
	"banger/internal/keeper"
	"banger/internal/model"
	"banger/internal/vmm/kvm"
)

// Stamped by the linker: -ldflags "-X main.version=... -X main.commit=... -X main.buildTime=...".
var (
	version   = "dev"
	commit    = "unknown"
	buildTime = "unknown"
)

func main() {
	kvm.MaybeProbeChild()
	keeper.MaybeChild()
	limitMemory(os.Getenv)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole program; it returns the exit code: 0, 1, or 2 for a wrong
// command line.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	opts, err := parseOptions(args, os.Getenv, os.Getuid(), stderr)
	switch {
	case err != nil:
		return fail(stderr, err, 2)
	case opts.help:
		return 0
	case opts.version:
		info := versionInfo(opts.paths)
		fmt.Fprintf(stdout, "bangerd %s (commit %s, built %s, %s)\n", info.Version, info.Commit, info.BuildTime, info.GoVersion)
		return 0
	}
	ready, err := inheritReadiness(os.Getenv, os.Unsetenv)
	if err != nil {
		return fail(stderr, err, 2)
	}
	if opts.config, opts.told, err = config.Load(opts.paths.ConfigFile(), os.Getenv); err != nil {
		ready.failed(err)
		return fail(stderr, err, 2)
	}
	if err := serve(ctx, opts.settings, stderr, ready.ok); err != nil {
		ready.failed(err)
		return fail(stderr, err, 1)
	}
	return 0
}

// softMemory is from how much memory on the collector of garbage runs more
// often, in place of letting the heap double: a pull of an image of very many
// files stays below 256 MiB so.
const softMemory = 192 << 20

// limitMemory sets the soft limit, unless GOMEMLIMIT does.
func limitMemory(getenv func(string) string) {
	if getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(softMemory)
	}
}

func fail(stderr io.Writer, err error, code int) int {
	fmt.Fprintf(stderr, "bangerd: %v\n", err)
	if hint := model.HintOf(err); hint != "" {
		fmt.Fprintf(stderr, "bangerd: %s\n", hint)
	}
	return code
}

func versionInfo(paths model.Paths) model.VersionInfo {
	return model.VersionInfo{
		Version:   version,
		Commit:    commit,
		BuildTime: buildTime,
		GoVersion: runtime.Version(),
		PID:       os.Getpid(),
		Home:      paths.State,
	}
}
