package qemu

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"

	"banger/internal/model"
	"banger/internal/run"
	"banger/internal/vmm/kvm"
)

// defaultBinary is what distributions call QEMU for this architecture.
const defaultBinary = "qemu-system-x86_64"

// queryLimit ends a QEMU that is only asked what it can do.
const queryLimit = 20 * time.Second

// Host is what Args must know of the host and its QEMU.
type Host struct {
	Binary  string // absolute path
	Version string // 7.2.22
	Accel   Accel  // never AccelAuto
	Why     string // one plain line when Accel is TCG
	TSCKHz  int    // frequency of the CPU's time stamp counter; 0: not known
	Sandbox bool   // QEMU was built with seccomp
	UserNet bool   // QEMU was built with user-mode networking
}

// lookAtHost returns the facts, found out once.
func (d *Driver) lookAtHost(ctx context.Context) (Host, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.host != nil {
		return *d.host, nil
	}
	host, err := inspect(ctx, d.cfg)
	if err != nil {
		return Host{}, err
	}
	if ctx.Err() != nil { // a verdict on KVM may have been cut short
		return Host{}, ctx.Err()
	}
	d.host = &host
	return host, nil
}

func inspect(ctx context.Context, cfg Config) (Host, error) {
	if runtime.GOARCH != "amd64" {
		return Host{}, model.Errorf(model.CodeUnsupported, "the qemu driver runs on x86-64 only, not on %s", runtime.GOARCH)
	}
	ctx, cancel := context.WithTimeout(ctx, queryLimit)
	defer cancel()
	var host Host
	var err error
	if host.Binary, err = findBinary(cfg.Binary); err != nil {
		return Host{}, err
	}
	if host.Version, err = version(ctx, host.Binary); err != nil {
		return Host{}, err
	}
	if host.Sandbox, host.UserNet, err = abilities(ctx, host.Binary); err != nil {
		return Host{}, err
	}
	host.Accel, host.Why = chooseAccel(ctx, cfg)
	cpuinfo, _ := os.ReadFile("/proc/cpuinfo") // without it the TSC is not known
	host.TSCKHz = tscKHz(string(cpuinfo))
	return host, nil
}

func findBinary(name string) (string, error) {
	if name == "" {
		name = defaultBinary
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", model.Errorf(model.CodeUnsupported, "QEMU is not installed: %w", err).
			WithHint("apt install qemu-system-x86")
	}
	return filepath.Abs(path)
}

var versionRE = regexp.MustCompile(`version ([0-9][0-9.]*)`)

func version(ctx context.Context, binary string) (string, error) {
	res, err := run.Command(ctx, run.Cmd{Name: binary, Args: []string{"--version"}})
	if err != nil {
		return "", err
	}
	m := versionRE.FindSubmatch(res.Stdout)
	if m == nil {
		return "", model.Errorf(model.CodeUnsupported, "%s does not say its version: %.100q", binary, res.Stdout)
	}
	return string(m[1]), nil
}

// abilities asks for the list of network backends, inside the sandbox if
// this QEMU has one.
func abilities(ctx context.Context, binary string) (sandbox, userNet bool, err error) {
	query := []string{"-machine", "none", "-netdev", "help"}
	res, err := run.Command(ctx, run.Cmd{Name: binary, Args: append(sandboxArgs(), query...)})
	sandbox = err == nil
	var failed *run.Error
	if errors.As(err, &failed) && strings.Contains(failed.Output, "sandbox") {
		res, err = run.Command(ctx, run.Cmd{Name: binary, Args: query})
	}
	if err != nil {
		return false, false, err
	}
	backends := strings.Fields(string(res.Stdout))
	for _, b := range backends {
		userNet = userNet || b == "user"
	}
	return sandbox, userNet, nil
}

func chooseAccel(ctx context.Context, cfg Config) (accel Accel, why string) {
	switch cfg.Accel {
	case AccelKVM:
		return AccelKVM, ""
	case AccelTCG:
		return AccelTCG, "emulation was asked for"
	}
	if v := kvm.Probe(ctx, cfg.ProbeCache); !v.Usable {
		return AccelTCG, v.Reason
	}
	return AccelKVM, ""
}

var bogoMIPSRE = regexp.MustCompile(`(?m)^bogomips\s*:\s*([0-9]+)\.([0-9]{2})$`)

// tscKHz derives the frequency of the time stamp counter from /proc/cpuinfo:
// where the counter is the delay timer, BogoMIPS is twice its frequency in
// MHz. 0: not known.
func tscKHz(cpuinfo string) int {
	m := bogoMIPSRE.FindStringSubmatch(cpuinfo)
	if m == nil || !strings.Contains(cpuinfo, " constant_tsc ") {
		return 0
	}
	hundredths, err := strconv.Atoi(m[1] + m[2])
	if err != nil {
		return 0
	}
	return hundredths * 5
}
