package vmmtest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"banger/internal/model"
	"banger/internal/vmm"
)

// Agent is a guest's end of one connection. The connection is closed when it
// returns; it must return when the connection is closed.
type Agent func(g *Guest, conn net.Conn)

// Guest is a VM of a Fake as seen from its inside.
type Guest struct {
	Spec vmm.Spec

	process model.ProcessID
	forget  func()
	port    chan struct{} // holds a token while somebody is connected
	tty     chan struct{} // the same for the console
	stalls  chan bool

	mu     sync.Mutex
	used   int           // calls of Usage
	paused chan struct{} // not nil: paused; closed at resume
	ended  chan struct{}
	exit   vmm.Exit
}

func newGuest(spec vmm.Spec, process model.ProcessID, forget func()) *Guest {
	return &Guest{
		Spec: spec, process: process, forget: forget, port: make(chan struct{}, 1), tty: make(chan struct{}, 1),
		stalls: make(chan bool, 1), ended: make(chan struct{}),
	}
}

// Stall is what the host's full disk does to the VM, and what ends it.
func (g *Guest) Stall(stalled bool) { g.stalls <- stalled }

// Poweroff switches the VM off from the inside.
func (g *Guest) Poweroff() { g.end(vmm.ExitPoweroff, "guest poweroff") }

// Reset reboots it from the inside, as a panic does too.
func (g *Guest) Reset() { g.end(vmm.ExitReset, "guest reset") }

// End ends the VM's process for another reason.
func (g *Guest) End(reason vmm.ExitReason) { g.end(reason, "ended by the test") }

// Ended is closed when the VM's process is gone.
func (g *Guest) Ended() <-chan struct{} { return g.ended }

// Exit is how the VM's process has ended; it is zero before.
func (g *Guest) Exit() vmm.Exit {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.exit
}

// end ends the process, once.
func (g *Guest) end(reason vmm.ExitReason, detail string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.ended:
		return
	default:
	}
	g.exit = vmm.Exit{Reason: reason, Detail: detail, At: time.Now()}
	g.forget()
	close(g.ended)
}

func (g *Guest) pause() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.paused == nil {
		g.paused = make(chan struct{})
	}
}

func (g *Guest) resume() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.paused != nil {
		close(g.paused)
		g.paused = nil
	}
}

// use is one more second of a busy processor, and a MiB read from and written
// to each disk, with every call.
func (g *Guest) use() vmm.Usage {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.used++
	n := int64(g.used)
	usage := vmm.Usage{CPU: time.Duration(n) * time.Second, MemoryBytes: int64(g.Spec.MemoryMiB) << 20}
	for range g.Spec.Disks {
		usage.Disks = append(usage.Disks, vmm.DiskUsage{ReadBytes: n << 20, WriteBytes: n << 20, Reads: n, Writes: n})
	}
	return usage
}

// awaitRunning returns when the guest is not paused, or is gone.
func (g *Guest) awaitRunning() {
	g.mu.Lock()
	paused := g.paused
	g.mu.Unlock()
	if paused == nil {
		return
	}
	select {
	case <-paused:
	case <-g.ended:
	}
}

// connect runs agent on one end of a connection and returns the other, which
// passes nothing while the guest is paused.
func (g *Guest) connect(agent Agent) net.Conn {
	host, outer := net.Pipe()
	inner, guest := net.Pipe()
	closed := make(chan struct{})
	closeAll := sync.OnceFunc(func() {
		close(closed)
		for _, c := range []net.Conn{outer, inner, guest} {
			_ = c.Close()
		}
	})
	relay := func(to, from net.Conn) {
		defer closeAll()
		_, _ = io.Copy(gated{to, g}, from)
	}
	go relay(inner, outer)
	go relay(outer, inner)
	go func() {
		defer closeAll()
		agent(g, guest)
	}()
	go func() {
		defer closeAll()
		select {
		case <-g.ended:
		case <-closed:
		}
	}()
	return host
}

// gated holds back what is written while the guest is paused.
type gated struct {
	io.Writer
	guest *Guest
}

func (w gated) Write(p []byte) (int, error) {
	w.guest.awaitRunning()
	return w.Writer.Write(p)
}

// Echo is an agent as Run needs it.
func Echo(g *Guest, conn net.Conn) {
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		switch line := lines.Text(); line {
		case LinePoweroff:
			g.Poweroff()
		case LineReset:
			g.Reset()
		default:
			if _, err := fmt.Fprintln(conn, line); err != nil {
				return
			}
		}
	}
}

// silent takes everything and says nothing.
func silent(_ *Guest, conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }
