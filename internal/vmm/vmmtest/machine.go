package vmmtest

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"sync"

	"banger/internal/vmm"
)

// fakeMachine is one daemon's hold of a guest.
type fakeMachine struct {
	fake   *Fake
	guest  *Guest
	closed chan struct{}
	close  func()
}

var _ vmm.Machine = (*fakeMachine)(nil)

func newFakeMachine(f *Fake, g *Guest) *fakeMachine {
	closed := make(chan struct{})
	return &fakeMachine{fake: f, guest: g, closed: closed, close: sync.OnceFunc(func() { close(closed) })}
}

// Record implements vmm.Machine.
func (m *fakeMachine) Record() vmm.Record {
	s := m.guest.Spec
	return vmm.Record{ID: s.ID, Generation: s.Generation, Driver: "fake", Accel: "kvm", RunDir: s.RunDir, Process: m.guest.process}
}

// Dial implements vmm.Machine.
func (m *fakeMachine) Dial(ctx context.Context) (net.Conn, error) {
	faults := m.fake.currentFaults()
	if faults.Die == DieAtDial {
		m.guest.end(faults.exit(), "fault at dial")
	}
	if err := m.state(); err != nil {
		return nil, fmt.Errorf("dialing the fake VM: %w", err)
	}
	select {
	case m.guest.port <- struct{}{}:
	case <-m.guest.ended:
		return nil, fmt.Errorf("dialing the fake VM: %w", vmm.ErrGone)
	case <-ctx.Done():
		return nil, fmt.Errorf("dialing the fake VM: %w", ctx.Err())
	}
	agent := m.fake.agent
	if faults.Silent {
		agent = silent
	}
	return &fakeConn{Conn: m.guest.connect(agent), release: sync.OnceFunc(func() { <-m.guest.port })}, nil
}

// Console implements vmm.Machine: the guest echoes what is typed, and its
// console's file gets it too.
func (m *fakeMachine) Console(ctx context.Context) (net.Conn, error) {
	if err := m.state(); err != nil {
		return nil, fmt.Errorf("opening the fake VM's console: %w", err)
	}
	select {
	case m.guest.tty <- struct{}{}:
	case <-m.guest.ended:
		return nil, fmt.Errorf("opening the fake VM's console: %w", vmm.ErrGone)
	case <-ctx.Done():
		return nil, fmt.Errorf("opening the fake VM's console: %w", ctx.Err())
	}
	return &fakeConn{Conn: m.guest.connect(echoConsole), release: sync.OnceFunc(func() { <-m.guest.tty })}, nil
}

func echoConsole(g *Guest, conn net.Conn) {
	file, err := os.OpenFile(g.Spec.Console, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return
	}
	defer file.Close()
	_, _ = io.Copy(io.MultiWriter(file, conn), conn)
}

// fakeConn lets the next one dial when it is closed.
type fakeConn struct {
	net.Conn
	release func()
}

func (c *fakeConn) Close() error {
	err := c.Conn.Close()
	c.release()
	return err
}

// state returns why the machine is of no use any more, or nil.
func (m *fakeMachine) state() error {
	select {
	case <-m.guest.ended:
		return vmm.ErrGone
	default:
	}
	select {
	case <-m.closed:
		return net.ErrClosed
	default:
		return nil
	}
}

// Pause implements vmm.Machine.
func (m *fakeMachine) Pause(context.Context) error {
	if faults := m.fake.currentFaults(); faults.Die == DieAtPause {
		m.guest.end(faults.exit(), "fault at pause")
	}
	if err := m.state(); err != nil {
		return err
	}
	m.guest.pause()
	return nil
}

// Resume implements vmm.Machine.
func (m *fakeMachine) Resume(context.Context) error {
	if err := m.state(); err != nil {
		return err
	}
	m.guest.resume()
	return nil
}

// Stalls implements vmm.Machine.
func (m *fakeMachine) Stalls() <-chan bool { return m.guest.stalls }

// Usage implements vmm.Machine.
func (m *fakeMachine) Usage(context.Context) (vmm.Usage, error) {
	if err := m.state(); err != nil {
		return vmm.Usage{}, err
	}
	return m.guest.use(), nil
}

// ResizeDisk implements vmm.Machine: the file of a raw disk grows.
func (m *fakeMachine) ResizeDisk(_ context.Context, i int, sizeBytes int64) error {
	if err := m.state(); err != nil {
		return err
	}
	disks := m.guest.Spec.Disks
	switch {
	case i < 0 || i >= len(disks) || disks[i].ReadOnly:
		return fmt.Errorf("the fake VM has no disk %d to resize", i)
	case disks[i].Format == vmm.Raw:
		return os.Truncate(disks[i].Path, sizeBytes)
	}
	return nil
}

// Kill implements vmm.Machine.
func (m *fakeMachine) Kill(context.Context) error {
	m.guest.end(vmm.ExitKilled, "killed by banger")
	return nil
}

// Wait implements vmm.Machine.
func (m *fakeMachine) Wait(ctx context.Context) (vmm.Exit, error) {
	select {
	case <-m.guest.ended:
		return m.guest.exit, nil
	default:
	}
	select {
	case <-m.guest.ended:
		return m.guest.exit, nil
	case <-m.closed:
		return vmm.Exit{}, fmt.Errorf("waiting for the fake VM: %w", net.ErrClosed)
	case <-ctx.Done():
		return vmm.Exit{}, fmt.Errorf("waiting for the fake VM: %w", ctx.Err())
	}
}

// Close implements vmm.Machine.
func (m *fakeMachine) Close() error {
	m.close()
	return nil
}
