package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"banger/internal/model"
	"banger/internal/rpc"
)

// ioFlags are the flags of run and exec that say what the process's input and
// output are.
type ioFlags struct {
	detach      bool
	interactive bool
	tty         bool
}

func (f *ioFlags) add(flags *pflag.FlagSet) {
	flags.BoolVarP(&f.detach, "detach", "d", false, "return when the process runs")
	flags.BoolVarP(&f.interactive, "interactive", "i", false, "pass standard input to the process")
	flags.BoolVarP(&f.tty, "tty", "t", false, "give the process a terminal")
}

// ioMode is what ioFlags come to here.
type ioMode struct {
	tty     bool
	stdin   bool
	detach  bool
	capture bool           // output goes into the JSON answer
	size    *model.WinSize // with tty, when it is known
}

// surroundings are the facts that ioFlags are resolved by.
type surroundings struct {
	stdinTerminal  bool
	stdoutTerminal bool
	bare           bool // no command was given
	json           bool
}

// resolve checks the flags. Without flags and command, at a terminal, the
// session is interactive.
func (f ioFlags) resolve(path string, at surroundings) (ioMode, error) {
	mode := ioMode{tty: f.tty, stdin: f.interactive, detach: f.detach, capture: at.json && !f.detach}
	bare := !f.tty && !f.interactive && !f.detach && at.bare && !at.json
	switch {
	case mode.capture && f.tty:
		return mode, usageError(path, "--json and -t exclude each other: a terminal's output is no JSON value")
	case f.tty && f.interactive && !f.detach && !at.stdinTerminal:
		return mode, usageError(path, "-t needs a terminal, and standard input is none").
			WithHint("%s -i without -t", path)
	case bare && at.stdinTerminal && at.stdoutTerminal:
		mode.tty, mode.stdin = true, true
	}
	return mode, nil
}

// ioMode resolves flags for the command at path.
func (a *app) ioMode(path string, f ioFlags, bare bool) (ioMode, error) {
	mode, err := f.resolve(path, surroundings{
		stdinTerminal:  isTerminal(a.stdin),
		stdoutTerminal: isTerminal(a.stdout),
		bare:           bare,
		json:           a.flags.json,
	})
	if mode.tty {
		mode.size = terminalSize(a.stdout)
	}
	return mode, err
}

// outcome is what is known of a session at its end.
type outcome struct {
	VM string `json:"vm"`
	model.ExitStatus
	Stdout    string `json:"stdout"`
	Stderr    string `json:"stderr"`
	Truncated bool   `json:"truncated,omitempty"`

	vm model.VM
}

// sessionCall is rpc.API's RunVM or ExecVM with its parameters filled in.
type sessionCall func(context.Context, rpc.Stdio, model.Report) (model.ExitStatus, error)

// patience is how long a session that was cancelled may take to return.
const patience = time.Second

// attach runs one session to its end.
//
//  1. signals are watched: before the process runs they cancel the call
//  2. the call is made; progress is shown
//  3. the process starts: progress vanishes, the terminal becomes raw,
//     signals and sizes go to the process
//  4. the call returns, or a signal ends it
//  5. the terminal is as it was, whatever happened
func (a *app) attach(ctx context.Context, mode ioMode, call sessionCall) (outcome, error) {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	bar := a.newProgress(false)
	defer bar.finish()
	terminal := newRawTerminal(a.stdin, mode.tty && mode.stdin && !mode.detach)
	defer terminal.restore()
	relay := a.relaySignals(ctx, mode.tty, end)
	defer relay.stop()

	var started latestVM
	stdio, captured := a.stdio(mode)
	stdio.Signals = relay.names
	if mode.tty && !mode.detach {
		stdio.Resize = a.watchSize(ctx, a.stdout)
	}
	stdio.Started = func(vm model.VM) {
		started.set(vm)
		bar.finish()
		terminal.raw()
		relay.started()
	}
	status, err := await(ctx, func() (model.ExitStatus, error) {
		defer terminal.restoreOnPanic()
		return call(ctx, stdio, bar.report)
	})
	result := outcome{ExitStatus: status, vm: started.get()}
	result.VM = result.vm.Name
	if err == nil && captured != nil {
		captured.into(&result)
	}
	return result, err
}

// stdio connects the process to this program, or to memory.
func (a *app) stdio(mode ioMode) (rpc.Stdio, *capture) {
	stdio := rpc.Stdio{Stdout: a.stdout, Stderr: a.stderr}
	if mode.stdin && !mode.detach {
		stdio.Stdin = a.stdin
	}
	if !mode.capture {
		return stdio, nil
	}
	captured := &capture{}
	stdio.Stdout, stdio.Stderr = &captured.stdout, &captured.stderr
	return stdio, captured
}

// await returns what call does. When ctx ends first the call has a second to
// return, and the cause of the end is the error.
func await(ctx context.Context, call func() (model.ExitStatus, error)) (model.ExitStatus, error) {
	type answer struct {
		status model.ExitStatus
		err    error
	}
	answers := make(chan answer, 1)
	go func() {
		status, err := call()
		answers <- answer{status, err}
	}()
	select {
	case got := <-answers:
		if got.err != nil && ctx.Err() != nil {
			return got.status, context.Cause(ctx)
		}
		return got.status, got.err
	case <-ctx.Done():
	}
	select {
	case <-answers:
	case <-time.After(patience):
	}
	return model.ExitStatus{}, context.Cause(ctx)
}

// latestVM hands a VM from the goroutine of a call to its caller.
type latestVM struct {
	mu sync.Mutex
	vm model.VM
}

func (l *latestVM) set(vm model.VM) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.vm = vm
}

func (l *latestVM) get() model.VM {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.vm
}

// finishSession prints the answer of a session when it was captured, and
// turns its status into the exit code.
func (a *app) finishSession(mode ioMode, result outcome, err error) error {
	var ended *processExit
	if errors.As(err, &ended) || err != nil {
		return err
	}
	if mode.capture {
		if err := a.printJSON(result); err != nil {
			return err
		}
	}
	if result.Code == exitOK && result.Err == "" {
		return nil
	}
	return &processExit{code: result.Code, why: result.Err}
}
