package run

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Limits of what is kept of a command's output.
const (
	DefaultMaxStdout = 4 << 20  // bytes of standard output; more is an error
	maxStderr        = 64 << 10 // last bytes of standard error
	maxTail          = 4 << 10  // last bytes of output that an Error quotes
)

// defaultGrace is how long the pipes of a command may stay open after its end.
const defaultGrace = 2 * time.Second

// Cmd is an external command.
type Cmd struct {
	Name string   // looked up by LookPath
	Args []string // without the name
	Dir  string   // working directory; "": the caller's

	// Env is added to the caller's environment, NAME=value, later ones win.
	// LC_ALL=C is always set, so that output can be parsed.
	Env      []string
	ClearEnv bool // the caller's environment is not passed on

	Stdin  io.Reader // nil: /dev/null
	Stdout io.Writer // nil: kept in Result.Stdout
	Stderr io.Writer // also gets standard error, as it comes; may be nil

	MaxStdout int // most bytes of Result.Stdout; 0: DefaultMaxStdout

	// Grace is the time between SIGTERM and SIGKILL when ctx ends; 0: SIGKILL at
	// once. A command with a grace is ended in the same way when the caller's
	// process dies, however that comes.
	Grace time.Duration

	// OwnMounts gives the command mounts of its own, which end with its last
	// process. It fails unless CanMount.
	OwnMounts bool
}

// Result is what a command that ran left behind.
type Result struct {
	Stdout   []byte // empty when Cmd.Stdout was given
	Stderr   []byte // its last 64 KiB
	ExitCode int    // -1: it did not run or a signal ended it
	Duration time.Duration
}

// Command runs c and waits for its end. An exit status other than 0 is an
// error. All errors are of type *Error; a program that is not there matches
// exec.ErrNotFound, and a command that ctx ended matches ctx's error. What is
// left of the command's process group is killed before Command returns.
func Command(ctx context.Context, c Cmd) (Result, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var stdout bytes.Buffer
	if c.Stdout == nil {
		c.Stdout = &limitedWriter{w: &stdout, left: c.maxStdout(), full: func() { cancel(ErrTooMuchOutput) }}
	}
	p, err := start(ctx, c, c.Stdout)
	if err != nil {
		return Result{ExitCode: -1}, err
	}
	res, failed := p.wait(ctx)
	res.Stdout = stdout.Bytes()
	if failed == nil {
		return res, nil
	}
	if failed.Output == "" {
		failed.Output = string(tail(res.Stdout, maxTail))
	}
	return res, failed
}

func (c Cmd) maxStdout() int {
	if c.MaxStdout > 0 {
		return c.MaxStdout
	}
	return DefaultMaxStdout
}

func (c Cmd) environ() []string {
	env := []string{}
	if !c.ClearEnv {
		env = os.Environ()
	}
	return append(append(env, "LC_ALL=C"), c.Env...)
}

// process is a started command.
type process struct {
	argv   []string
	cmd    *exec.Cmd
	stderr *tailBuffer
	began  time.Time
	guard  *guard // nil for a command without a grace

	mu     sync.Mutex
	reaped bool // the number of the group may be another's from here on
}

func start(ctx context.Context, c Cmd, stdout io.Writer) (*process, error) {
	p := &process{argv: append([]string{c.Name}, c.Args...), stderr: &tailBuffer{max: maxStderr}}
	path, err := LookPath(c.Name)
	if err != nil {
		return nil, &Error{Argv: p.argv, ExitCode: -1, Err: err}
	}
	if p.guard, err = newGuard(c.Grace); err != nil {
		return nil, &Error{Argv: p.argv, ExitCode: -1, Err: err}
	}
	defer p.guard.started()
	cmd := c.prepare(ctx, p.guard, path)
	cmd.Stdout, cmd.Stderr = stdout, p.stderr
	if c.Stderr != nil {
		cmd.Stderr = io.MultiWriter(p.stderr, c.Stderr)
	}
	sig := unix.SIGKILL
	if c.Grace > 0 {
		sig = unix.SIGTERM
	}
	cmd.Cancel = func() error { return p.signalGroup(sig) }
	p.cmd, p.began = cmd, time.Now()
	if err := cmd.Start(); err != nil {
		p.guard.close()
		return nil, &Error{Argv: p.argv, ExitCode: -1, Err: err}
	}
	return p, nil
}

// prepare is the command but for its output.
func (c Cmd) prepare(ctx context.Context, g *guard, path string) *exec.Cmd {
	argv := append([]string{c.Name}, c.Args...)
	if g != nil {
		path, argv = g.around(path, c.Args)
	}
	cmd := exec.CommandContext(ctx, path)
	cmd.Args, cmd.ExtraFiles = argv, g.files()
	cmd.Dir, cmd.Env, cmd.Stdin = c.Dir, c.environ(), c.Stdin
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	if c.OwnMounts {
		cmd.SysProcAttr.Unshareflags = unix.CLONE_NEWNS
	}
	cmd.WaitDelay = defaultGrace
	if c.Grace > 0 {
		cmd.WaitDelay = c.Grace
	}
	return cmd
}

// wait waits for the leader, kills what is left of its group while the
// leader's zombie still reserves the group's number, and reaps it.
func (p *process) wait(ctx context.Context) (Result, *Error) {
	p.awaitExit()
	_ = p.signalGroup(unix.SIGKILL) // ESRCH: the group is empty
	p.mu.Lock()
	p.reaped = true
	p.mu.Unlock()
	err := p.cmd.Wait()
	p.guard.close()
	res := Result{
		Stderr:   p.stderr.Bytes(),
		ExitCode: p.cmd.ProcessState.ExitCode(),
		Duration: time.Since(p.began),
	}
	if err == nil {
		return res, nil
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return res, &Error{Argv: p.argv, Output: string(tail(res.Stderr, maxTail)), ExitCode: res.ExitCode, Err: err}
}

// awaitExit returns when the leader has ended, without reaping it.
func (p *process) awaitExit() {
	for {
		err := unix.Waitid(unix.P_PID, p.cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

func (p *process) signalGroup(sig unix.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return os.ErrProcessDone
	}
	return unix.Kill(-p.cmd.Process.Pid, sig)
}
