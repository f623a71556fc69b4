package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// deadline bounds every wait of these tests.
const deadline = 20 * time.Second

// screen collects what a program writes and waits for words in it.
type screen struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func newScreen() *screen { return &screen{changed: make(chan struct{}, 1)} }

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default:
	}
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func (s *screen) waitFor(t *testing.T, want string) {
	t.Helper()
	over := time.After(deadline)
	for !strings.Contains(s.String(), want) {
		select {
		case <-s.changed:
		case <-over:
			t.Fatalf("no %q in %q", want, s.String())
		}
	}
}

// signalBox stands for the signals of a process.
type signalBox struct {
	mu    sync.Mutex
	takes map[chan<- os.Signal][]os.Signal
}

func (b *signalBox) notify(c chan<- os.Signal, sigs ...os.Signal) func() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.takes == nil {
		b.takes = map[chan<- os.Signal][]os.Signal{}
	}
	b.takes[c] = sigs
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.takes, c)
	}
}

func (b *signalBox) send(sig os.Signal) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for c, sigs := range b.takes {
		if slices.Contains(sigs, sig) {
			c <- sig
		}
	}
}

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// rig is one banger that runs in the background, with a served daemon.
type rig struct {
	daemon  *fakeDaemon
	app     *app
	signals *signalBox
	clock   *clock
	out     *screen
	exit    chan int
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{daemon: newFakeDaemon(), signals: &signalBox{}, clock: &clock{now: epoch}, out: newScreen(), exit: make(chan int, 1)}
	r.app = newTestApp(r.daemon, strings.NewReader(""), r.out, r.out)
	r.app.connect = served(t, r.daemon)
	r.app.reach = r.app.connect
	r.app.notify, r.app.now = r.signals.notify, r.clock.Now
	return r
}

func (r *rig) start(t *testing.T, args ...string) {
	t.Helper()
	go func() { r.exit <- r.app.run(context.Background(), args) }()
}

func (r *rig) wantExit(t *testing.T, want int) {
	t.Helper()
	select {
	case got := <-r.exit:
		if got != want {
			t.Errorf("exit code %d, want %d; output %q", got, want, r.out)
		}
	case <-time.After(deadline):
		t.Fatalf("banger did not end; output %q", r.out)
	}
}

// terminal gives the rig a pty and returns the user's side of it.
func (r *rig) terminal(t *testing.T) (user, tty *os.File) {
	t.Helper()
	user, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = user.Close(); _ = tty.Close() })
	if err := pty.Setsize(tty, &pty.Winsize{Rows: 24, Cols: 80}); err != nil {
		t.Fatal(err)
	}
	r.app.stdin, r.app.stdout, r.app.stderr = tty, tty, tty
	go func() { _, _ = io.Copy(r.out, user) }()
	return user, tty
}

func termios(t *testing.T, tty *os.File) unix.Termios {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return *state
}

// awaitSignalHandler waits until banger takes signals.
func awaitSignalHandler(t *testing.T, r *rig) {
	t.Helper()
	over := time.Now().Add(deadline)
	for {
		r.signals.mu.Lock()
		n := len(r.signals.takes)
		r.signals.mu.Unlock()
		if n > 0 {
			return
		}
		if time.Now().After(over) {
			t.Fatal("banger takes no signals")
		}
		time.Sleep(time.Millisecond)
	}
}
