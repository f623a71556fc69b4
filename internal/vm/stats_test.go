package vm_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"banger/internal/model"
	"banger/internal/rpc"
	"banger/internal/vmm/vmmtest"
)

func TestStats(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for _, name := range []string{"a", "b", "c"} {
		r.create(name)
	}
	if _, err := r.PauseVM(t.Context(), rpc.NameParams{Name: "b"}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.KillVM(t.Context(), rpc.NameParams{Name: "c"}); err != nil {
		t.Fatal(err)
	}
	look := func(names ...string) []model.VMStats {
		t.Helper()
		stats, err := r.StatsVMs(t.Context(), rpc.VMStatsParams{Names: names})
		if err != nil {
			t.Fatal(err)
		}
		return stats
	}
	first, second := look(), look()
	if len(first) != 2 || first[0].Name != "a" || first[1].Name != "b" {
		t.Fatalf("all that have a process: %+v", first)
	}
	if a := first[0]; a.Guest == nil || a.Guest.MemoryTotalBytes == 0 || a.Guest.RootTotalBytes == 0 || a.Guest.Processes == 0 || a.MemoryBytes == 0 || len(a.Disks) != 1 {
		t.Errorf("a: %+v, guest %+v", a, a.Guest)
	}
	if second[0].CPUSeconds <= first[0].CPUSeconds || second[0].At.Before(first[0].At) {
		t.Errorf("first %+v, then %+v", first[0], second[0])
	}
	if b := first[1]; b.Guest != nil || !strings.Contains(b.GuestError, "is paused") || b.CPUSeconds == 0 {
		t.Errorf("of a paused VM: %+v", b)
	}
	if c := look("c"); len(c) != 1 || c[0].State != model.VMStopped || c[0].CPUSeconds != 0 {
		t.Errorf("of a stopped VM: %+v", c)
	}
	if _, err := r.StatsVMs(t.Context(), rpc.VMStatsParams{Names: []string{"ghost"}}); model.CodeOf(err) != model.CodeNotFound {
		t.Error(err)
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	v := r.create("web")
	health := func() model.VMHealth {
		t.Helper()
		h, err := r.HealthVM(t.Context(), rpc.NameParams{Name: "web"})
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	if h := health(); !h.Healthy || h.PingMicros <= 0 || h.Guest == nil || h.Why != "" {
		t.Errorf("running: %+v", h)
	}
	r.restart() // the agent must be reached anew, and is silent by then
	r.fake.SetFaults(vmmtest.Faults{Silent: true})
	if h := health(); h.Healthy || !strings.Contains(h.Why, "does not answer") || h.Guest != nil {
		t.Errorf("silent: %+v", h)
	}
	r.fake.Guest(v.ID).Poweroff()
	awaitTrue(t, "it has stopped", func() bool { return r.state("web") == model.VMStopped })
	if h := health(); h.Healthy || h.State != model.VMStopped || h.Why == "" {
		t.Errorf("stopped: %+v", h)
	}
}

// TestPorts: the guests of this test are on this host, and so are their ports.
func TestPorts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.create("web")
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	addr := netip.MustParseAddrPort(l.Addr().String())
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	want := model.GuestPort{Address: addr.Addr().String(), Port: addr.Port(), PID: os.Getpid(), Process: strings.TrimSpace(string(comm))}
	ports, err := r.PortsVM(t.Context(), rpc.NameParams{Name: "web"})
	if err != nil || !slices.Contains(ports, want) {
		t.Errorf("%v, %v: want %v", ports, err, want)
	}
	if _, err := r.StopVM(t.Context(), rpc.VMStopParams{Name: "web"}, model.Discard); err != nil {
		t.Fatal(err)
	}
	if _, err := r.PortsVM(t.Context(), rpc.NameParams{Name: "web"}); model.CodeOf(err) != model.CodeConflict || model.HintOf(err) == "" {
		t.Errorf("of a stopped VM: %v", err)
	}
}

// TestConsole: one caller at a time types and reads; the past comes first.
func TestConsole(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.create("web")
	attach := func(ctx context.Context, in io.Reader, out io.Writer, started chan<- struct{}) error {
		_, err := r.ConsoleVM(ctx, rpc.VMConsoleParams{Name: "web", Stdin: true, Tail: 1},
			rpc.Stdio{Stdin: in, Stdout: out, Started: func(model.VM) { close(started) }}, model.Discard)
		return err
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	fromUser, typed := io.Pipe()
	shown, toUser := io.Pipe()
	started, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- attach(ctx, fromUser, toUser, started) }()
	lines := bufio.NewScanner(shown)
	if !lines.Scan() || !strings.HasPrefix(lines.Text(), "fake guest ") {
		t.Fatalf("the past: %q", lines.Text())
	}
	<-started
	if _, err := io.WriteString(typed, "hello\n"); err != nil {
		t.Fatal(err)
	}
	if !lines.Scan() || lines.Text() != "hello" {
		t.Errorf("the echo: %q", lines.Text())
	}
	if err := attach(t.Context(), nil, io.Discard, make(chan struct{})); model.CodeOf(err) != model.CodeConflict || model.HintOf(err) == "" {
		t.Errorf("a second caller: %v", err)
	}
	cancel()
	_ = typed.Close()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := r.KillVM(t.Context(), rpc.NameParams{Name: "web"}); err != nil {
		t.Fatal(err)
	}
	if err := attach(t.Context(), nil, io.Discard, make(chan struct{})); model.CodeOf(err) != model.CodeConflict {
		t.Errorf("of a stopped VM: %v", err)
	}
}
