package qemu

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/proc"
	"banger/internal/vmm"
	"banger/internal/vmm/console"
)

const (
	// maxLog and trimInterval bound what QEMU's own log takes on disk.
	maxLog       = 1 << 20
	trimInterval = time.Minute
)

// machine is one QEMU process.
type machine struct {
	rec     vmm.Record
	process *proc.Process
	monitor *monitor

	agent  chan struct{} // holds a token while somebody is connected to the agent
	tty    chan struct{} // the same for the console
	killed atomic.Bool   // Kill was called

	stalls chan bool     // holds the newest value
	exited chan struct{} // closed when the process is gone and exit is set
	exit   vmm.Exit

	closeOnce  sync.Once
	stopWatch  context.CancelFunc
	watchEnded chan struct{}
}

var _ vmm.Machine = (*machine)(nil)

// newMachine takes over process and monitor, and watches the process until
// it ends or the machine is closed.
func newMachine(ctx context.Context, rec vmm.Record, process *proc.Process, mon *monitor) *machine {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	m := &machine{
		rec: rec, process: process, monitor: mon,
		agent:      make(chan struct{}, 1),
		tty:        make(chan struct{}, 1),
		exited:     make(chan struct{}),
		stalls:     make(chan bool, 1),
		stopWatch:  stop,
		watchEnded: make(chan struct{}),
	}
	go m.watch(ctx)
	go m.feed(ctx)
	return m
}

// watch waits for the end of the process and keeps its log small.
func (m *machine) watch(ctx context.Context) {
	defer close(m.watchEnded)
	for ctx.Err() == nil {
		waitCtx, cancel := context.WithTimeout(ctx, trimInterval)
		status, err := m.process.Wait(waitCtx)
		cancel()
		if err == nil {
			<-m.monitor.done // the kernel has closed the other end: all events are in
			m.exit = exitOf(m.monitor.shutdown(), status, m.killed.Load())
			close(m.exited)
			return
		}
		_ = console.Trim(filepath.Join(m.rec.RunDir, LogFile), maxLog)
	}
}

// unusable returns vmm.ErrGone once the process has ended, net.ErrClosed once
// the machine was closed before that, else nil.
func (m *machine) unusable() error {
	select {
	case <-m.exited:
		return vmm.ErrGone
	default:
	}
	select {
	case <-m.watchEnded:
		return net.ErrClosed
	default:
		return nil
	}
}

// Record implements vmm.Machine.
func (m *machine) Record() vmm.Record { return m.rec }

// Dial implements vmm.Machine.
func (m *machine) Dial(ctx context.Context) (net.Conn, error) {
	conn, err := m.connect(ctx, agentFile, m.agent)
	if err != nil {
		return nil, fmt.Errorf("dialing the agent: %w", err)
	}
	return conn, nil
}

// Console implements vmm.Machine. A QEMU that an earlier release started has
// no such socket.
func (m *machine) Console(ctx context.Context) (net.Conn, error) {
	conn, err := m.connect(ctx, consoleFile, m.tty)
	if errors.Is(err, fs.ErrNotExist) {
		err = errors.ErrUnsupported
	}
	if err != nil {
		return nil, fmt.Errorf("opening the console: %w", err)
	}
	return conn, nil
}

// connect connects to a socket of the run directory that serves one at a
// time; place holds a token for as long as the connection is open.
func (m *machine) connect(ctx context.Context, file string, place chan struct{}) (net.Conn, error) {
	if err := m.unusable(); err != nil {
		return nil, err
	}
	select {
	case place <- struct{}{}:
	case <-m.watchEnded:
		return nil, m.unusable()
	case <-ctx.Done():
		return nil, fmt.Errorf("another connection is open: %w", ctx.Err())
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", filepath.Join(m.rec.RunDir, file))
	if err != nil {
		<-place
		if m.process.Ended() {
			return nil, vmm.ErrGone
		}
		return nil, err
	}
	return &placedConn{Conn: conn, release: sync.OnceFunc(func() { <-place })}, nil
}

// placedConn lets the next one dial when it is closed.
type placedConn struct {
	net.Conn
	release func()
}

func (c *placedConn) Close() error {
	err := c.Conn.Close()
	c.release()
	return err
}

// Pause implements vmm.Machine.
func (m *machine) Pause(ctx context.Context) error { return m.execute(ctx, "stop") }

// Resume implements vmm.Machine.
func (m *machine) Resume(ctx context.Context) error { return m.execute(ctx, "cont") }

// ResizeDisk implements vmm.Machine (block_resize of QEMU's
// qapi/block-core.json).
func (m *machine) ResizeDisk(ctx context.Context, i int, sizeBytes int64) error {
	type arguments struct {
		NodeName string `json:"node-name"`
		Size     int64  `json:"size"`
	}
	return m.executeWith(ctx, "block_resize", arguments{diskNode(i), sizeBytes})
}

func (m *machine) execute(ctx context.Context, command string) error {
	return m.executeWith(ctx, command, nil)
}

func (m *machine) executeWith(ctx context.Context, command string, arguments any) error {
	err := m.monitor.executeWith(ctx, command, arguments, nil)
	if err != nil && m.process.Ended() {
		return vmm.ErrGone
	}
	return err
}

// Kill implements vmm.Machine.
func (m *machine) Kill(ctx context.Context) error {
	m.killed.Store(true)
	err := m.process.Signal(unix.SIGKILL)
	switch {
	case errors.Is(m.unusable(), vmm.ErrGone):
		return nil // whoever saw the end first may have closed the machine already
	case err != nil && !errors.Is(err, proc.ErrGone):
		return err
	}
	_, err = m.Wait(ctx)
	return err
}

// Wait implements vmm.Machine.
func (m *machine) Wait(ctx context.Context) (vmm.Exit, error) {
	select {
	case <-m.watchEnded:
	case <-ctx.Done():
		return vmm.Exit{}, fmt.Errorf("waiting for the VM: %w", ctx.Err())
	}
	if err := m.unusable(); !errors.Is(err, vmm.ErrGone) {
		return vmm.Exit{}, fmt.Errorf("waiting for the VM: %w", err)
	}
	return m.exit, nil
}

// Close implements vmm.Machine.
func (m *machine) Close() error {
	m.closeOnce.Do(func() {
		m.stopWatch()
		<-m.watchEnded
		m.monitor.close()
		_ = m.process.Close()
	})
	return nil
}
