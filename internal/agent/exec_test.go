package agent_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"banger/internal/agent"
	"banger/internal/guest"
	"banger/internal/model"
	"banger/internal/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// connect joins a client to a server that runs processes on this host.
func connect(t testing.TB) *guest.Client {
	t.Helper()
	opt := agent.Options{
		Version: "test", Marks: &agent.Marks{}, Procs: agent.NewProcs(false), ConsolePath: filepath.Join(t.TempDir(), "console"),
		Configure: func(wire.Config) error { return nil },
		Shutdown:  func(time.Duration) {},
	}
	if err := os.WriteFile(opt.ConsolePath, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	host, machine := net.Pipe()
	served := make(chan struct{})
	go func() {
		defer close(served)
		r := bufio.NewReader(machine)
		if wire.HandshakeGuest(r, machine) == nil {
			_ = agent.NewServer(opt).Serve(struct {
				io.Reader
				io.WriteCloser
			}{r, machine})
		}
	}()
	client, err := guest.Connect(t.Context(), host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = client.Close()
		<-served
	})
	return client
}

type result struct {
	status         model.ExitStatus
	stdout, stderr string
}

func run(t *testing.T, c *guest.Client, req wire.ExecRequest, stdin io.Reader) result {
	t.Helper()
	var out, errs bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	status, err := c.Exec(ctx, req, guest.Stdio{Stdin: stdin, Stdout: &out, Stderr: &errs})
	if err != nil {
		t.Fatalf("%q: %v", req.Argv, err)
	}
	return result{status, out.String(), errs.String()}
}

func sh(script string) wire.ExecRequest {
	return wire.ExecRequest{Argv: []string{"/bin/sh", "-c", script}, WorkingDir: "/"}
}

func TestExitStatus(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	foreign := filepath.Join(dir, "foreign")
	orphan := filepath.Join(dir, "orphan")
	for path, body := range map[string]string{foreign: "\x00\x01 no program", orphan: "#!/no/such/shell\n"} {
		if err := os.WriteFile(path, []byte(body), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(plain, []byte("#!/bin/sh\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	c := connect(t)
	for _, tc := range []struct {
		name string
		req  wire.ExecRequest
		code int
		err  string
	}{
		{"success", sh("true"), 0, ""},
		{"a status", sh("exit 42"), 42, ""},
		{"a signal", sh("kill -TERM $$"), 143, ""},
		{"not in PATH", wire.ExecRequest{Argv: []string{"no-such-program"}}, 127, "not found"},
		{"no such file", wire.ExecRequest{Argv: []string{"/no/such/file"}}, 127, "no such file"},
		{"a directory", wire.ExecRequest{Argv: []string{"/etc"}}, 126, "directory"},
		{"not executable", wire.ExecRequest{Argv: []string{plain}}, 126, "not executable"},
		{"no format", wire.ExecRequest{Argv: []string{foreign}}, 126, "exec format"},
		{"no interpreter", wire.ExecRequest{Argv: []string{orphan}}, 127, "interpreter"},
		{"an empty command", wire.ExecRequest{Argv: []string{""}}, 127, "empty"},
		{"no such directory", wire.ExecRequest{Argv: []string{"/bin/true"}, WorkingDir: "/no/such"}, 126, "working directory"},
		{"no such user", wire.ExecRequest{Argv: []string{"/bin/true"}, User: "nobody-at-all"}, 126, "no user"},
		{"a uid that is -1", wire.ExecRequest{Argv: []string{"/bin/true"}, User: "4294967295"}, 126, "ids go up to"},
		{"a negative uid", wire.ExecRequest{Argv: []string{"/bin/true"}, User: "-1"}, 126, "negative"},
		{"no such group", wire.ExecRequest{Argv: []string{"/bin/true"}, User: "0:no-such-group"}, 126, "no group"},
	} {
		got := run(t, c, tc.req, nil)
		if got.status.Code != tc.code || !strings.Contains(got.status.Err, tc.err) || (tc.err == "") != (got.status.Err == "") {
			t.Errorf("%s: %+v, want code %d and an error with %q", tc.name, got.status, tc.code, tc.err)
		}
	}
}

func TestStreamsAndInput(t *testing.T) {
	t.Parallel()
	c := connect(t)
	got := run(t, c, sh("echo out; echo err >&2"), nil)
	if got.stdout != "out\n" || got.stderr != "err\n" {
		t.Errorf("streams: %+v", got)
	}
	if got := run(t, c, sh("cat; echo done"), nil); got.stdout != "done\n" {
		t.Errorf("no input: %+v", got)
	}
	big := bytes.Repeat([]byte("0123456789abcdef"), 3<<20/16)
	req := sh("cat")
	req.Stdin = true
	if got := run(t, c, req, bytes.NewReader(big)); got.stdout != string(big) {
		t.Errorf("3 MiB through cat: %d bytes came back", len(got.stdout))
	}
	if got := run(t, c, req, nil); got.stdout != "" || got.status.Code != 0 {
		t.Errorf("an input that is not given is empty: %+v", got)
	}
	if got := run(t, c, sh("head -c 20000000 /dev/zero"), nil); len(got.stdout) != 20000000 {
		t.Errorf("20 MB of output: %d bytes", len(got.stdout))
	}
	req = sh("head -c 1 >/dev/null; exec <&-; sleep 0.1; echo late")
	req.Stdin = true
	if got := run(t, c, req, bytes.NewReader(big)); got.stdout != "late\n" || got.status.Code != 0 {
		t.Errorf("a process that stops reading: %+v", got.status)
	}
}

func TestEnvironmentAndDirectory(t *testing.T) {
	t.Parallel()
	c := connect(t)
	req := sh("pwd; echo $A $HOME $USER; echo $PATH")
	req.WorkingDir, req.Env = "/usr/../etc", []string{"A=1", "HOME=/h"}
	if got := run(t, c, req, nil); got.stdout != "/etc\n1 /h root\n/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n" {
		t.Errorf("%q", got.stdout)
	}
	dir := filepath.Join(t.TempDir(), "a/b")
	req = sh("pwd")
	req.WorkingDir, req.MakeWorkingDir = dir, true
	if got := run(t, c, req, nil); got.stdout != dir+"\n" {
		t.Errorf("a working directory that is made: %+v", got)
	}
	req = wire.ExecRequest{Argv: []string{"./tool"}, WorkingDir: t.TempDir()}
	if err := os.WriteFile(filepath.Join(req.WorkingDir, "tool"), []byte("#!/bin/sh\necho $0\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got := run(t, c, req, nil); got.status.Code != 0 {
		t.Errorf("a relative program: %+v", got)
	}
}

func TestUsers(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("not root: no process can change its user")
	}
	c := connect(t)
	for user, want := range map[string]string{
		"": "0:0", "root": "0:0", "1234": "1234:0", "1234:99": "1234:99", "nobody": "65534:65534",
		"nobody:root": "65534:0", "0:7": "0:7", "4294967294:4294967294": "4294967294:4294967294",
	} {
		req := sh("echo $(id -u):$(id -g)")
		req.User = user
		if got := run(t, c, req, nil); got.stdout != want+"\n" {
			t.Errorf("user %q: %+v, want %s", user, got, want)
		}
	}
}

func TestTerminal(t *testing.T) {
	t.Parallel()
	c := connect(t)
	req := sh("tty -s && stty size; read x; stty size; echo got $x >&2; exit 3")
	req.TTY, req.Stdin, req.Size = true, true, &model.WinSize{Rows: 33, Cols: 77}
	in, typed := io.Pipe()
	resize := make(chan model.WinSize)
	out := newWaiter()
	type end struct {
		status model.ExitStatus
		err    error
	}
	ended := make(chan end, 1)
	go func() {
		status, err := c.Exec(t.Context(), req, guest.Stdio{Stdin: in, Stdout: out, Resize: resize})
		ended <- end{status, err}
	}()
	out.await(t, "33 77")
	resize <- model.WinSize{Rows: 44, Cols: 88}
	_, _ = io.WriteString(typed, "word\n")
	out.await(t, "44 88")
	out.await(t, "got word")
	if e := <-ended; e.err != nil || e.status.Code != 3 {
		t.Errorf("%+v", e)
	}
	_ = typed.Close()
}

func TestSignals(t *testing.T) {
	t.Parallel()
	c := connect(t)
	signals := make(chan string)
	out := newWaiter()
	req := sh("trap 'echo caught; exit 9' INT; echo ready; while :; do sleep 0.05; done")
	req.Stdin = true // a process that does not read its input is still signalled
	endless, feed := io.Pipe()
	defer func() { _ = feed.Close() }()
	go func() { _, _ = io.Copy(feed, zeros{}) }()
	ended := make(chan model.ExitStatus, 1)
	go func() {
		status, err := c.Exec(t.Context(), req, guest.Stdio{Stdin: endless, Stdout: out, Signals: signals})
		if err != nil {
			t.Error(err)
		}
		ended <- status
	}()
	out.await(t, "ready")
	signals <- "NONSENSE"
	signals <- "INT"
	out.await(t, "caught")
	if s := <-ended; s.Code != 9 {
		t.Errorf("%+v", s)
	}
	_ = endless.Close()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestCallerGoesAway(t *testing.T) {
	t.Parallel()
	c := connect(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	alive := filepath.Join(t.TempDir(), "alive")
	out := newWaiter()
	ended := make(chan error, 1)
	go func() {
		_, err := c.Exec(ctx, sh("echo $$ >"+alive+"; echo up; sleep 1000 & wait"), guest.Stdio{Stdout: out})
		ended <- err
	}()
	out.await(t, "up")
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	pid, err := os.ReadFile(alive)
	if err != nil {
		t.Fatal(err)
	}
	awaitTrue(t, func() bool {
		_, err := os.Stat("/proc/" + strings.TrimSpace(string(pid)))
		return errors.Is(err, os.ErrNotExist)
	})
}

func TestOutputHeldOpenByAChild(t *testing.T) {
	t.Parallel()
	c := connect(t)
	got := run(t, c, sh("sleep 1000 & echo $!"), nil)
	if got.status.Code != 0 || got.stdout == "" {
		t.Errorf("%+v", got)
	}
	run(t, c, sh("kill -9 "+strings.TrimSpace(got.stdout)), nil)
}

func TestDetached(t *testing.T) {
	t.Parallel()
	c := connect(t)
	mark := filepath.Join(t.TempDir(), "mark")
	req := sh("echo to the console; echo done >" + mark)
	req.Detach = true
	if got := run(t, c, req, nil); got.status != (model.ExitStatus{}) || got.stdout != "" {
		t.Errorf("%+v", got)
	}
	awaitTrue(t, func() bool {
		b, _ := os.ReadFile(mark)
		return string(b) == "done\n"
	})
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	c := connect(t)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if got := run(t, c, sh("echo hello; exit 5"), nil); got.status.Code != 5 || got.stdout != "hello\n" {
				t.Errorf("%+v", got)
			}
		})
	}
	wg.Wait()
}

func TestControl(t *testing.T) {
	t.Parallel()
	c := connect(t)
	hello, err := c.Hello(t.Context())
	if err != nil || hello.Configured || hello.AgentVersion != "test" || hello.Kernel == "" {
		t.Errorf("%+v, %v", hello, err)
	}
	if err := c.Configure(t.Context(), wire.Config{}); err != nil {
		t.Error(err)
	}
	if err := c.Configure(t.Context(), wire.Config{}); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("a second configure: %v", err)
	}
	if hello, err = c.Hello(t.Context()); err != nil || !hello.Configured {
		t.Errorf("%+v, %v", hello, err)
	}
	if err := c.Shutdown(t.Context(), time.Second); err != nil {
		t.Error(err)
	}
}

// waiter is a writer whose content can be waited for.
type waiter struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func newWaiter() *waiter { return &waiter{} }

func (w *waiter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

func (w *waiter) await(t *testing.T, want string) {
	t.Helper()
	awaitTrue(t, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return strings.Contains(w.b.String(), want)
	})
}

func awaitTrue(t *testing.T, cond func() bool) {
	t.Helper()
	for range 3000 {
		if cond() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("what was waited for has not come within 30 s")
}
