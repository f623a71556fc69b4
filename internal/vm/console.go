package vm

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"banger/internal/model"
	"banger/internal/rpc"
	"banger/internal/vmm"
	"banger/internal/vmm/console"
)

// consoleTimeout is how long the one who is attached already may take to let
// go.
const consoleTimeout = time.Second

// ConsoleVM attaches the caller to a guest's serial console, until ctx ends
// or the VM does.
//
//	1 guard    the VM has a process, and nobody else is attached
//	2 past     the last lines of the console's file
//	3 pump     what the guest prints to the caller; what is typed to the guest
//
// The end of the input is not the end of the session. A guest never waits for
// a caller who reads slowly: what does not fit into consoleBacklog is left
// out. All of it is in the console's file.
func (s *Service) ConsoleVM(ctx context.Context, p rpc.VMConsoleParams, stdio rpc.Stdio, _ model.Report) (model.ExitStatus, error) {
	vm, err := s.find(ctx, p.Name)
	if err != nil {
		return model.ExitStatus{}, err
	}
	conn, err := s.openConsole(ctx, vm) // 1
	if err != nil {
		return model.ExitStatus{}, err
	}
	defer conn.Close()
	if stdio.Started != nil {
		stdio.Started(vm)
	}
	if p.Tail > 0 { // 2
		tail, _, err := console.Tail(consolePath(vm), p.Tail)
		if err == nil {
			_, err = stdio.Stdout.Write(tail)
		}
		if err != nil {
			return model.ExitStatus{}, err
		}
	}
	return model.ExitStatus{}, pumpConsole(ctx, conn, stdio) // 3
}

func (s *Service) openConsole(ctx context.Context, vm model.VM) (net.Conn, error) {
	l := s.lookup(vm.ID)
	if l == nil {
		return nil, model.Errorf(model.CodeConflict, "VM %s is %s", vm.Name, vm.State).
			WithHint("see what is kept of its console: banger logs %s", vm.Name)
	}
	bounded, cancel := context.WithTimeout(ctx, consoleTimeout)
	defer cancel()
	conn, err := l.machine.Console(bounded)
	switch {
	case err == nil:
		return conn, nil
	case errors.Is(err, errors.ErrUnsupported):
		return nil, model.Errorf(model.CodeUnsupported, "the console of VM %s is not open: it was started by an earlier release", vm.Name).
			WithHint("restart it: banger restart %s; or read along: banger logs -f %s", vm.Name, vm.Name)
	case errors.Is(err, vmm.ErrGone):
		return nil, model.Errorf(model.CodeBoot, "VM %s has ended", vm.Name).WithHint("banger logs %s", vm.Name)
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
		return nil, model.Errorf(model.CodeConflict, "somebody else is attached to the console of VM %s", vm.Name).
			WithHint("read along: banger logs -f %s", vm.Name)
	}
	return nil, err
}

// pumpConsole moves bytes both ways until ctx ends, the guest does, or the
// caller takes no more.
func pumpConsole(ctx context.Context, conn net.Conn, stdio rpc.Stdio) error {
	backlog := newBacklog()
	var pumps sync.WaitGroup
	pumps.Go(func() { // the guest's end is the end of it
		_, _ = io.Copy(backlog, conn)
		backlog.end()
	})
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	if stdio.Stdin != nil {
		go func() { _, _ = io.Copy(conn, stdio.Stdin) }() // its last Read may outlive the session
	}
	_, err := io.Copy(stdio.Stdout, backlog)
	_ = conn.Close()
	pumps.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// consoleBacklog is how many bytes wait for a caller who reads slowly.
const consoleBacklog = 1 << 20

// backlog passes bytes from one goroutine to another. Writing never waits;
// the oldest bytes give way.
type backlog struct {
	mu    sync.Mutex
	more  sync.Cond
	data  []byte
	ended bool
}

func newBacklog() *backlog {
	b := &backlog{}
	b.more.L = &b.mu
	return b
}

// Write implements io.Writer.
func (b *backlog) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.data = append(b.data, p...)
	if excess := len(b.data) - consoleBacklog; excess > 0 {
		b.data = b.data[excess:]
	}
	b.more.Signal()
	return len(p), nil
}

// Read waits for bytes; io.EOF after the end.
func (b *backlog) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.data) == 0 && !b.ended {
		b.more.Wait()
	}
	if len(b.data) == 0 {
		return 0, io.EOF
	}
	n := copy(p, b.data)
	b.data = b.data[n:]
	return n, nil
}

func (b *backlog) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	b.more.Broadcast()
}
