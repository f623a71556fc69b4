package agent_test

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"banger/internal/agent"
	"banger/internal/guest"
	"banger/internal/model"
	"banger/internal/wire"

	"go.uber.org/goleak"
)

// TestMain is, besides itself, the helper of TestReaper.
func TestMain(m *testing.M) {
	if socket := os.Getenv(reaperEnv); socket != "" {
		os.Exit(beReaper(socket))
	}
	goleak.VerifyTestMain(m)
}

// serve starts a server on this host and connects a client to it over a pipe
// without any buffer.
func serve(t testing.TB, opts agent.Options) (*agent.Server, *guest.Client) {
	t.Helper()
	s := agent.NewServer(opts)
	t.Cleanup(func() { _ = s.Close() })
	return s, attach(t, s)
}

// attach connects one more host.
func attach(t testing.TB, s *agent.Server) *guest.Client {
	t.Helper()
	host, served := net.Pipe()
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer close(done)
		_ = s.ServeConn(ctx, served)
	}()
	bounded, stop := context.WithTimeout(t.Context(), bootTime)
	defer stop()
	c, err := guest.Connect(bounded, host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Close()
		cancel()
		<-done
	})
	return c
}

// ready is a client whose guest is configured.
func ready(t testing.TB) *guest.Client {
	t.Helper()
	_, c := serve(t, agent.Options{})
	configure(t, c)
	return c
}

func configure(t testing.TB, c *guest.Client) {
	t.Helper()
	if err := c.Configure(t.Context(), validConfig()); err != nil {
		t.Fatal(err)
	}
}

func validConfig() wire.Config {
	return wire.Config{Hostname: "h", Root: wire.RootFS{Device: "/dev/vda", FSType: "ext4"}}
}

func TestControl(t *testing.T) {
	t.Parallel()
	var got wire.Config
	off := make(chan struct{})
	s, c := serve(t, agent.Options{
		Version:   "v1",
		Configure: func(_ context.Context, cfg wire.Config) error { got = cfg; return nil },
		Shutdown:  func() { close(off) },
		Marks:     func() []wire.Mark { return []wire.Mark{{Name: "init", Seconds: 1.5}} },
	})
	hello, err := c.Hello(t.Context())
	if err != nil || hello.AgentVersion != "v1" || hello.Configured || hello.Kernel == "" || len(hello.Marks) != 1 {
		t.Errorf("hello %+v, %v", hello, err)
	}
	if _, err := c.Exec(t.Context(), shell("true"), guest.Stdio{}); model.CodeOf(err) != model.CodeConflict {
		t.Errorf("exec before configure: %v", err)
	}
	if err := c.Configure(t.Context(), wire.Config{Hostname: "a/b"}); model.CodeOf(err) != model.CodeInvalid {
		t.Errorf("invalid configuration: %v", err)
	}
	configure(t, c)
	if got.Hostname != "h" {
		t.Errorf("configured with %+v", got)
	}
	again := attach(t, s)
	if err := again.Configure(t.Context(), validConfig()); model.CodeOf(err) != model.CodeConflict {
		t.Errorf("second configure: %v", err)
	}
	if hello, err := again.Hello(t.Context()); err != nil || !hello.Configured {
		t.Errorf("hello of another host %+v, %v", hello, err)
	}
	for range 2 {
		if err := c.Shutdown(t.Context(), time.Second); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	}
	<-off
	if _, err := c.Exec(t.Context(), shell("true"), guest.Stdio{}); model.CodeOf(err) != model.CodeConflict {
		t.Errorf("exec after shutdown: %v", err)
	}
}

// TestFailedConfigure: half a guest is none, and the host is told why.
func TestFailedConfigure(t *testing.T) {
	t.Parallel()
	_, c := serve(t, agent.Options{Configure: func(context.Context, wire.Config) error {
		return model.Errorf(model.CodeNotFound, "no disk \x1b[31m")
	}})
	err := c.Configure(t.Context(), validConfig())
	if model.CodeOf(err) != model.CodeNotFound || err.Error() != `configuring the guest: guest: no disk \x1b[31m` {
		t.Errorf("got %v", err)
	}
	if err := c.Configure(t.Context(), validConfig()); model.CodeOf(err) != model.CodeConflict {
		t.Errorf("second try: %v", err)
	}
	if _, err := c.Exec(t.Context(), shell("true"), guest.Stdio{}); model.CodeOf(err) != model.CodeConflict {
		t.Errorf("exec: %v", err)
	}
}

// TestShutdownEndsProcesses: the patient get SIGTERM, the others SIGKILL.
func TestShutdownEndsProcesses(t *testing.T) {
	t.Parallel()
	off := make(chan struct{})
	_, c := serve(t, agent.Options{Shutdown: func() { close(off) }})
	configure(t, c)
	var wg sync.WaitGroup
	for _, tc := range []struct {
		script string
		code   int
	}{
		{"trap 'exit 7' TERM; echo up; while :; do sleep 0.02; done", 7},
		{"trap '' TERM HUP; echo up; while :; do sleep 0.02; done", 137},
	} {
		up := make(chan struct{}, 1)
		wg.Go(func() {
			status, err := c.Exec(t.Context(), shell(tc.script), guest.Stdio{Stdout: signalWriter(up)})
			if err != nil || status.Code != tc.code {
				t.Errorf("%s: %+v, %v", tc.script, status, err)
			}
		})
		<-up
	}
	if err := c.Shutdown(t.Context(), 200*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	<-off
}

// TestHostGoesAway: attached processes and their groups are ended, detached
// ones stay.
func TestHostGoesAway(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := agent.NewServer(agent.Options{})
	defer s.Close()
	c := attach(t, s)
	configure(t, c)
	pidOf := func(name string) string {
		return "echo $$ >" + filepath.Join(dir, name) + ".new; mv " + filepath.Join(dir, name) + ".new " + filepath.Join(dir, name)
	}
	detached := shell(pidOf("detached") + "; sleep 1000")
	detached.Detach = true
	if _, err := c.Exec(t.Context(), detached, guest.Stdio{}); err != nil {
		t.Fatal(err)
	}
	scripts := map[string]string{
		"obedient": pidOf("obedient") + "; sleep 1000",
		"family":   "trap '' HUP; sh -c '" + pidOf("family") + "; sleep 1000' & wait",
		"talker":   pidOf("talker") + "; while :; do echo more; done",
	}
	var wg sync.WaitGroup
	for _, script := range scripts {
		wg.Go(func() {
			if _, err := c.Exec(t.Context(), shell(script), guest.Stdio{}); !errors.Is(err, guest.ErrLost) {
				t.Errorf("%s: %v", script, err)
			}
		})
	}
	pids := map[string]string{"detached": readWhenThere(t, filepath.Join(dir, "detached"))}
	for name := range scripts {
		pids[name] = readWhenThere(t, filepath.Join(dir, name))
	}
	_ = c.Close()
	wg.Wait()
	for name := range scripts {
		await(t, func() bool { return !alive(pids[name]) })
	}
	if !alive(pids["detached"]) {
		t.Error("the detached process has ended")
	}
}

// alive tells whether a process runs; a zombie does not.
func alive(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return false
	}
	_, rest, _ := bytes.Cut(stat, []byte(") "))
	return len(rest) > 0 && rest[0] != 'Z' && rest[0] != 'X'
}

func readWhenThere(t *testing.T, path string) string {
	t.Helper()
	var b []byte
	await(t, func() bool {
		var err error
		b, err = os.ReadFile(path)
		return err == nil
	})
	return string(bytes.TrimSpace(b))
}

// TestHostBreaksTheProtocol: the link ends, the agent does not.
func TestHostBreaksTheProtocol(t *testing.T) {
	t.Parallel()
	s := agent.NewServer(agent.Options{})
	defer s.Close()
	configure(t, attach(t, s))
	sleep := shell("sleep 1000")
	open := shell("exec sleep 1000")
	open.Stdin = true
	for _, tc := range []struct {
		name  string
		first wire.Open
		then  []byte
	}{
		{"no kind", wire.Open{}, nil},
		{"other kind", wire.Open{Kind: "tar"}, nil},
		{"kind of another request", wire.Open{Kind: wire.KindExec, Request: &wire.Request{Op: wire.OpHello}}, nil},
		{"frame of the agent's", wire.Open{Kind: wire.KindExec, Exec: &sleep}, wire.CreditFrame(1)},
		{"long frame", wire.Open{Kind: wire.KindExec, Exec: &open}, []byte{byte(wire.FrameStdin), 0, 2, 0, 0}},
		{"input that was not to come", wire.Open{Kind: wire.KindExec, Exec: &sleep}, wire.Frame(wire.FrameStdin, []byte("x"))},
		{"input beyond the window", wire.Open{Kind: wire.KindExec, Exec: &open},
			bytes.Repeat(wire.Frame(wire.FrameStdin, make([]byte, wire.MaxPayload)), 8)},
		{"input after its end", wire.Open{Kind: wire.KindExec, Exec: &open},
			append(wire.Frame(wire.FrameStdinClose, nil), wire.Frame(wire.FrameStdin, []byte("x"))...)},
	} {
		session := rawSession(t, s)
		// The link may be gone half way of either; that it goes is the point.
		if stream, err := session.Open(t.Context(), &tc.first); err == nil {
			_, _ = stream.Write(tc.then)
		}
		select {
		case <-session.Done():
		case <-time.After(bootTime):
			t.Fatalf("%s: the link stays", tc.name)
		}
	}
	if _, err := attach(t, s).Hello(t.Context()); err != nil {
		t.Errorf("the next host: %v", err)
	}
}

// rawSession is a host that is not a guest.Client.
func rawSession(t *testing.T, s *agent.Server) *wire.Session {
	t.Helper()
	host, served := net.Pipe()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.ServeConn(t.Context(), served)
	}()
	ctx, cancel := context.WithTimeout(t.Context(), bootTime)
	defer cancel()
	session, err := wire.Connect(ctx, host, wire.Nonce{1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Close(); <-done })
	return session
}
