package buildvm

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"banger/internal/failpoint"
	"banger/internal/guest"
	"banger/internal/model"
	"banger/internal/vmm"
	"banger/internal/vmm/console"
	"banger/internal/wire"
)

// Guest is a guest that is up. It is good until the function that With gave it
// to returns.
type Guest struct {
	agent   *guest.Client
	machine *machine
	release string
}

// Process is one process of a step. The user, the directory and a program
// without a slash are looked up in the guest.
type Process struct {
	Argv       []string
	Env        []string  // KEY=VALUE; HOME, USER and PATH have defaults
	WorkingDir string    // absolute, made when it is missing; "": /
	User       string    // "", name, uid, name:group, uid:gid
	Stdin      io.Reader // nil: empty; a read must not outlast the process
	// Stdout and Stderr may be the same writer: they are never written to at
	// the same time. nil drops what is written.
	Stdout, Stderr io.Writer
}

// Release is the guest kernel's, as it says itself. Untrusted.
func (g *Guest) Release() string { return g.release }

// Run runs a process to its end. A process that could not be started has the
// code 126 or 127 and Err set; that is no error.
func (g *Guest) Run(ctx context.Context, p Process) (model.ExitStatus, error) {
	if err := failpoint.Hit(ctx, "build.vm/run"); err != nil {
		return model.ExitStatus{}, err
	}
	status, err := g.agent.Exec(ctx, wire.ExecRequest{
		Argv: p.Argv, Env: p.Env, WorkingDir: p.WorkingDir, MakeWorkingDir: p.WorkingDir != "", User: p.User, Stdin: p.Stdin != nil,
	}, guest.Stdio{Stdin: p.Stdin, Stdout: p.Stdout, Stderr: p.Stderr})
	if errors.Is(err, guest.ErrLost) {
		return status, g.machine.lost(ctx, err)
	}
	return status, err
}

// use brings the guest up, lets do work in it and switches it off.
func (s *Service) use(ctx context.Context, m *machine, do func(ctx context.Context, g *Guest) error) error {
	g, err := m.bringUp(ctx)
	if err != nil {
		return err
	}
	defer g.agent.Close() // the machine is killed, or has ended
	if err := failpoint.Hit(ctx, "build.vm/up"); err != nil {
		return err
	}
	roomy, cancel := m.whileRoom(ctx, s.cfg.StallLimit)
	defer cancel()
	err = do(roomy, g)
	if err == nil {
		err = failpoint.Hit(ctx, "build.vm/done")
	}
	if err == nil {
		err = g.powerOff(roomy)
	}
	if err != nil && ctx.Err() == nil && roomy.Err() != nil {
		return context.Cause(roomy)
	}
	return err
}

// errEnded: the VM's process ended while its guest was waited for.
var errEnded = errors.New("its process ended before the guest was up")

// bringUp waits for the agent and tells the guest who it is.
func (m *machine) bringUp(ctx context.Context) (*Guest, error) {
	limited, cancel := context.WithTimeout(ctx, m.timeout)
	defer cancel()
	go func() { // a process that has ended will never answer
		select {
		case <-m.gone:
			cancel()
		case <-limited.Done():
		}
	}()
	g, err := m.greet(limited)
	switch {
	case err == nil:
		return g, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case m.isGone():
		err = errEnded
	default:
		err = fmt.Errorf("the guest has not come up within %s: %w", m.timeout, err)
	}
	return nil, model.Errorf(model.CodeBoot, "booting the build's VM: %w%s", err, m.lastWords()).
		WithHint("another kernel may do: banger kernel list --available, then --kernel NAME")
}

func (m *machine) greet(ctx context.Context) (*Guest, error) {
	conn, err := m.Dial(ctx)
	if err != nil {
		return nil, err
	}
	agent, err := guest.Connect(ctx, conn)
	if err != nil {
		return nil, err
	}
	hello, err := agent.Hello(ctx)
	if err == nil {
		cfg := planGuest(m.spec)
		cfg.Time, cfg.Entropy = time.Now().UnixNano(), make([]byte, 64)
		_, _ = rand.Read(cfg.Entropy)
		err = agent.Configure(ctx, cfg)
	}
	if err != nil {
		return nil, errors.Join(err, agent.Close())
	}
	return &Guest{agent: agent, machine: m, release: hello.Kernel}, nil
}

// powerOff lets the guest unmount its disk and switch itself off. Anything
// else than that is an error: the filesystem may not be clean.
func (g *Guest) powerOff(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, shutdownGrace+powerOffTime)
	defer cancel()
	if err := g.agent.Shutdown(ctx, shutdownGrace); err != nil {
		return fmt.Errorf("switching the build's VM off: %w", err)
	}
	select {
	case <-g.machine.gone:
	case <-ctx.Done():
		return model.Errorf(model.CodeTimeout, "the build's VM has not switched itself off: %w", ctx.Err())
	}
	if end := g.machine.exit; end.Reason != vmm.ExitPoweroff {
		return model.Errorf(model.CodeBoot, "the build's VM did not switch itself off, it was %s: %s%s", end.Reason, end.Detail, g.machine.lastWords())
	}
	return failpoint.Hit(ctx, "build.vm/off")
}

// goneTime is how long the end of a process may take to be seen after its
// agent has fallen silent.
const goneTime = 2 * time.Second

// lost explains why a process in the guest could not be seen through.
func (m *machine) lost(ctx context.Context, err error) error {
	t := time.NewTimer(goneTime)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-m.gone:
		return model.Errorf(model.CodeBoot, "the build's VM went away while a step ran (%s)%s", m.exit.Reason, m.lastWords()).
			WithHint("a guest that runs out of memory may do that: give it more with --memory")
	case <-t.C:
		return model.Errorf(model.CodeUnreachable, "the agent of the build's VM does not answer: %w%s", err, m.lastWords())
	}
}

func (m *machine) isGone() bool {
	select {
	case <-m.gone:
		return true
	default:
		return false
	}
}

// consoleLines is how much of a console an error shows.
const consoleLines = 20

// lastWords is the end of the console as a part of an error, or nothing.
func (m *machine) lastWords() string {
	said, _, err := console.Tail(m.spec.Console, consoleLines)
	if err != nil || len(strings.TrimSpace(string(said))) == 0 {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	for i, line := range lines {
		lines[i] = model.Printable(strings.TrimRight(line, "\r"))
	}
	return "; the end of its console:\n" + strings.Join(lines, "\n")
}
