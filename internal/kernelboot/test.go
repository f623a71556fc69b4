package kernelboot

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"banger/internal/guest"
	"banger/internal/model"
	"banger/internal/quota"
	"banger/internal/vmm"
	"banger/internal/vmm/console"
	"banger/internal/wire"
)

// vmID is what the processes of tests are called.
const vmID = "kernel-test"

// Shape of the machine that kernels are tested in.
const (
	memoryMiB    = 256
	probeTimeout = time.Minute
	maxReport    = 64 << 10
	consoleLines = 20
)

// Config is what a Tester works with.
type Config struct {
	Driver      vmm.Driver
	Memory      *quota.Memory // bounds what all VMs may have together; may be nil
	AgentPath   string        // becomes /probe on the disk
	Dir         string        // of disks, one directory a test
	RunDir      string        // of sockets, one directory a test; a short path
	BootTimeout time.Duration // 0: a minute
}

// Tester boots kernels. Call Recover before the first test.
type Tester struct{ cfg Config }

// New returns a Tester.
func New(cfg Config) *Tester {
	if cfg.BootTimeout == 0 {
		cfg.BootTimeout = time.Minute
	}
	return &Tester{cfg: cfg}
}

// Test boots the kernel with the initial file system on a machine and tries
// what it can do. modules are files, loaded in this order before the trying. It is
// CodeBoot, with the end of the console, when the guest does not come up.
//
//	quota    the machine must have its place beside the VMs that run
//	disk     an ext4 file system with the probe and the modules
//	boot     the driver starts the machine; the agent answers
//	probe    the agent runs the probe on the disk
//	end      the machine is killed; disk and sockets are removed
func (t *Tester) Test(ctx context.Context, machine model.MachineType, kernel, initramfs string, modules []string) (found model.KernelTest, err error) {
	generation := model.NewID()
	if err := t.cfg.Memory.Build(ctx, generation, memoryMiB); err != nil {
		return found, err
	}
	defer t.cfg.Memory.End(generation)
	dir, run := filepath.Join(t.cfg.Dir, generation), filepath.Join(t.cfg.RunDir, generation)
	for _, d := range []string{dir, run} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return found, fmt.Errorf("making a directory for the test: %w", err)
		}
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir), os.RemoveAll(run)) }()
	spec := vmm.Spec{
		ID: vmID, Generation: generation, RunDir: run, Machine: machine, Kernel: kernel, Initrd: initramfs,
		CPUs: 1, MemoryMiB: memoryMiB, Network: model.NetNone, Console: filepath.Join(dir, model.ConsoleFile),
		Disks: []vmm.Disk{{Path: filepath.Join(dir, "disk"), Format: vmm.Raw}},
	}
	if err := t.writeDisk(ctx, spec.Disks[0].Path, modules); err != nil {
		return found, fmt.Errorf("making the test's disk: %w", err)
	}
	features, err := t.cfg.Driver.Features(ctx)
	if err != nil {
		return found, err
	}
	found = model.KernelTest{At: time.Now().UTC().Truncate(time.Millisecond), Driver: features.Driver, Accel: features.Accel}
	return found, t.boot(ctx, spec, &found)
}

// boot starts the machine, probes it, and ends it whatever happens.
func (t *Tester) boot(ctx context.Context, spec vmm.Spec, found *model.KernelTest) (err error) {
	began := time.Now()
	m, err := t.cfg.Driver.Start(ctx, spec)
	if err != nil {
		return err
	}
	defer func() { // the caller may be gone
		err = errors.Join(err, m.Kill(context.WithoutCancel(ctx)), m.Close())
	}()
	if err := t.keepRecord(m.Record()); err != nil {
		return fmt.Errorf("recording the test's machine: %w", err)
	}
	limited, cancel := context.WithTimeout(ctx, t.cfg.BootTimeout)
	defer cancel()
	go func() { // a machine that has ended will never answer
		_, _ = m.Wait(limited)
		cancel()
	}()
	agent, hello, err := greet(limited, m)
	if err != nil {
		return t.bootError(ctx, spec, err)
	}
	defer agent.Close() // the machine is killed
	found.BootMillis, found.Release = time.Since(began).Milliseconds(), hello.Kernel
	if err := agent.Configure(limited, testGuest()); err != nil {
		return t.bootError(ctx, spec, err)
	}
	found.Probes, err = probe(ctx, agent)
	return err
}

func greet(ctx context.Context, m vmm.Machine) (*guest.Client, wire.Hello, error) {
	conn, err := m.Dial(ctx)
	if err != nil {
		return nil, wire.Hello{}, err
	}
	agent, err := guest.Connect(ctx, conn)
	if err != nil {
		return nil, wire.Hello{}, err
	}
	hello, err := agent.Hello(ctx)
	if err != nil {
		return nil, wire.Hello{}, errors.Join(err, agent.Close())
	}
	return agent, hello, nil
}

// testGuest is what the guest is told about itself.
func testGuest() wire.Config {
	cfg := wire.Config{
		Hostname: vmID, Time: time.Now().UnixNano(), Entropy: make([]byte, 64),
		Root: wire.RootFS{Device: "/dev/vda", FSType: "ext4"},
	}
	_, _ = rand.Read(cfg.Entropy)
	return cfg
}

// probe runs the probe on the disk and reads its report, which the guest may
// have made up: it is bounded and made printable.
func probe(ctx context.Context, agent *guest.Client) ([]model.KernelProbe, error) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	out := &limitedBuffer{left: maxReport}
	status, err := agent.Exec(ctx, wire.ExecRequest{Argv: []string{probePath, "probe"}}, guest.Stdio{Stdout: out})
	if err != nil {
		return nil, fmt.Errorf("running the probe: %w", err)
	}
	var found []model.KernelProbe
	if err := json.Unmarshal(out.Bytes(), &found); err != nil {
		return nil, model.Errorf(model.CodeBoot, "reading the probe's report (it ended with %d): %w", status.Code, err)
	}
	for i := range found {
		found[i].Name, found[i].Detail = model.Printable(found[i].Name), model.Printable(found[i].Detail)
	}
	return found, nil
}

// bootError is what the user sees of a kernel that did not come up.
func (t *Tester) bootError(ctx context.Context, spec vmm.Spec, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	said, _, _ := console.Tail(spec.Console, consoleLines) // without it the error says less
	what := "the guest has ended before it was up"
	if errors.Is(err, context.DeadlineExceeded) {
		what = fmt.Sprintf("the guest has not come up within %s", t.cfg.BootTimeout)
	}
	return model.Errorf(model.CodeBoot, "%s: %w; the end of its console:\n%s", what, err, printableLines(said))
}

// printableLines makes what a guest wrote fit to be shown.
func printableLines(b []byte) string {
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	for i, line := range lines {
		lines[i] = model.Printable(strings.TrimRight(line, "\r"))
	}
	return strings.Join(lines, "\n")
}

// limitedBuffer keeps the first bytes written to it.
type limitedBuffer struct {
	bytes.Buffer
	left int
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	kept := p[:min(len(p), b.left)]
	b.left -= len(kept)
	_, _ = b.Buffer.Write(kept)
	return len(p), nil
}
