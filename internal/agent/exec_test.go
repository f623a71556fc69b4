package agent_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"banger/internal/guest"
	"banger/internal/model"
	"banger/internal/wire"

	"github.com/google/go-cmp/cmp"
)

// TestExitStatus: what a process, or what is none, exits with.
func TestExitStatus(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, body string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(body), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	plain := write("plain", "#!/bin/sh\n", 0o644)
	foreign := write("foreign", "\x00\x01 no program", 0o755)
	orphan := write("orphan", "#!/no/such/shell\n", 0o755)
	write("both", "#!/bin/sh\n", 0o644)
	c := ready(t)
	for name, tc := range map[string]struct {
		req  wire.ExecRequest
		want model.ExitStatus
	}{
		"success":           {shell("true"), model.ExitStatus{}},
		"status":            {shell("exit 42"), model.ExitStatus{Code: 42}},
		"signal":            {shell("kill -TERM $$"), model.ExitStatus{Code: 143, Signal: "SIGTERM"}},
		"kill":              {shell("kill -KILL $$"), model.ExitStatus{Code: 137, Signal: "SIGKILL"}},
		"not in PATH":       {argv("no-such-program"), model.ExitStatus{Code: 127, Err: "no-such-program: not found in"}},
		"no such file":      {argv("/no/such/file"), model.ExitStatus{Code: 127, Err: "no such file"}},
		"below a file":      {argv(plain + "/x"), model.ExitStatus{Code: 127, Err: "not a directory"}},
		"a directory":       {argv("/etc"), model.ExitStatus{Code: 126, Err: "is a directory"}},
		"not executable":    {argv(plain), model.ExitStatus{Code: 126, Err: "permission denied"}},
		"only one in PATH":  {env(argv("both"), "PATH="+dir+":/nowhere"), model.ExitStatus{Code: 126, Err: "permission denied"}},
		"no format":         {argv(foreign), model.ExitStatus{Code: 126, Err: "exec format error"}},
		"no interpreter":    {argv(orphan), model.ExitStatus{Code: 127, Err: "no such file"}},
		"no directory":      {inDir(shell("true"), "/no/such/dir"), model.ExitStatus{Code: 126, Err: "entering the working directory"}},
		"a file as one":     {inDir(shell("true"), plain), model.ExitStatus{Code: 126, Err: "is not a directory"}},
		"no such user":      {asUser(shell("true"), "nobody-at-all"), model.ExitStatus{Code: 126, Err: `user "nobody-at-all" is not in`}},
		"uid beyond all":    {asUser(shell("true"), "4294967295"), model.ExitStatus{Code: 126, Err: "is over 4294967294"}},
		"uid far beyond":    {asUser(shell("true"), "99999999999999999999"), model.ExitStatus{Code: 126, Err: "is over"}},
		"gid beyond all":    {asUser(shell("true"), "0:4294967295"), model.ExitStatus{Code: 126, Err: "is over 4294967294"}},
		"no such group":     {asUser(shell("true"), "0:no-such-group"), model.ExitStatus{Code: 126, Err: `group "no-such-group" is not in`}},
		"detached, missing": {detached(argv("no-such-program")), model.ExitStatus{Code: 127, Err: "not found"}},
		"detached":          {detached(shell("exit 3")), model.ExitStatus{}},
	} {
		got, err := c.Exec(t.Context(), tc.req, guest.Stdio{})
		if err != nil || got.Code != tc.want.Code || got.Signal != tc.want.Signal ||
			!strings.Contains(got.Err, tc.want.Err) || (got.Err == "") != (tc.want.Err == "") {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, tc.want)
		}
	}
}

func TestInvalidRequests(t *testing.T) {
	t.Parallel()
	c := ready(t)
	for name, req := range map[string]wire.ExecRequest{
		"no program":         {},
		"empty program":      argv(""),
		"NUL in an argument": argv("a\x00b"),
		"NUL in a variable":  env(argv("true"), "A=\x00"),
		"nameless variable":  env(argv("true"), "=x"),
		"relative directory": inDir(argv("true"), "tmp"),
		"long user":          asUser(argv("true"), strings.Repeat("u", 300)),
		"too long":           argv("true", strings.Repeat("x", wire.MaxMessage)),
	} {
		if _, err := c.Exec(t.Context(), req, guest.Stdio{}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := c.Hello(t.Context()); err != nil {
		t.Errorf("link after invalid requests: %v", err)
	}
}

func TestStreams(t *testing.T) {
	t.Parallel()
	c := ready(t)
	dir := t.TempDir()
	for name, tc := range map[string]struct {
		req      wire.ExecRequest
		stdin    io.Reader
		out, err string
	}{
		"apart":              {req: shell("echo out; echo err >&2"), out: "out\n", err: "err\n"},
		"input":              {req: stdin(shell("cat")), stdin: strings.NewReader("in"), out: "in"},
		"empty input":        {req: stdin(shell("cat; echo end")), out: "end\n"},
		"input not asked":    {req: shell("cat; echo end"), stdin: strings.NewReader("in"), out: "end\n"},
		"input not wanted":   {req: stdin(shell("exec <&-; echo end")), stdin: bytes.NewReader(make([]byte, 4<<20)), out: "end\n"},
		"failing input":      {req: stdin(shell("cat")), stdin: io.MultiReader(strings.NewReader("in"), errReader{}), out: "in"},
		"directory":          {req: inDir(shell("pwd"), dir), out: dir + "\n"},
		"made directory":     {req: made(inDir(shell("pwd"), dir+"/a/b")), out: dir + "/a/b\n"},
		"relative program":   {req: inDir(argv("./"+filepath.Base(script(t, dir))), dir), out: "ran\n"},
		"program in PATH":    {req: env(argv(filepath.Base(script(t, dir))), "PATH=/nowhere:"+dir), out: "ran\n"},
		"here in PATH":       {req: inDir(env(argv(filepath.Base(script(t, dir))), "PATH=/nowhere:"), dir), out: "ran\n"},
		"defaults":           {req: shell("echo $HOME $USER $PATH; echo [$TERM]"), out: "/root root /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n[]\n"},
		"last variable wins": {req: env(shell("echo $A $HOME"), "A=1", "HOME=/h", "A=2"), out: "2 /h\n"},
		"no descriptors":     {req: shell("ls /proc/self/fd"), out: descriptors(t)},
		"own session":        {req: shell("set -- $(cat /proc/$$/stat); test $1 = $5 -a $1 = $6 && echo leader"), out: "leader\n"},
	} {
		var out, errOut bytes.Buffer
		status, err := c.Exec(t.Context(), tc.req, guest.Stdio{Stdin: tc.stdin, Stdout: &out, Stderr: &errOut})
		if err != nil || status.Code != 0 || out.String() != tc.out || errOut.String() != tc.err {
			t.Errorf("%s: %+v, %v, stdout %q, stderr %q", name, status, err, out.String(), errOut.String())
		}
	}
}

// descriptors are those that this process itself was given, and ls's own.
func descriptors(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ls", "/proc/self/fd").Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, errors.New("broken") }

// script makes a program that says that it ran.
func script(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho ran\n"), 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		t.Fatal(err)
	}
	return path
}

// TestManyBytes sends 64 MiB through a process and back.
func TestManyBytes(t *testing.T) {
	t.Parallel()
	const size = 64 << 20
	c := ready(t)
	in, out := sha256.New(), sha256.New()
	source := io.TeeReader(io.LimitReader(rand.NewChaCha8([32]byte{1}), size), in)
	status, err := c.Exec(t.Context(), stdin(argv("cat")), guest.Stdio{Stdin: source, Stdout: out})
	if err != nil || status.Code != 0 || !bytes.Equal(in.Sum(nil), out.Sum(nil)) {
		t.Errorf("%+v, %v; what came back differs: %t", status, err, !bytes.Equal(in.Sum(nil), out.Sum(nil)))
	}
}

// TestSlowReader: one process whose output nobody takes holds up no other,
// and loses nothing.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	c := ready(t)
	slow, read := io.Pipe()
	ended := make(chan model.ExitStatus, 1)
	go func() {
		status, err := c.Exec(t.Context(), shell("head -c 3000000 /dev/zero; echo end"), guest.Stdio{Stdout: read})
		if err != nil {
			t.Errorf("slow: %v", err)
		}
		_ = read.Close()
		ended <- status
	}()
	for range 3 {
		var out bytes.Buffer
		if _, err := c.Exec(t.Context(), shell("head -c 2000000 /dev/zero"), guest.Stdio{Stdout: &out}); err != nil || out.Len() != 2000000 {
			t.Fatalf("beside a slow reader: %d bytes, %v", out.Len(), err)
		}
	}
	b, err := io.ReadAll(slow)
	if status := <-ended; err != nil || len(b) != 3000004 || status.Code != 0 {
		t.Errorf("slow reader: %d bytes, %v, %+v", len(b), err, status)
	}
}

// TestBlockedInput: a process that does not read its input can be signalled,
// and the input's reader is let go.
func TestBlockedInput(t *testing.T) {
	t.Parallel()
	c := ready(t)
	mine, theirs := net.Pipe()
	defer mine.Close()
	go func() { // more than all buffers on the way
		for {
			if _, err := mine.Write(make([]byte, 1<<20)); err != nil {
				return
			}
		}
	}()
	signals := make(chan string)
	up := make(chan struct{}, 1)
	go func() {
		<-up
		signals <- "USR1"
		signals <- "no such signal at all"
		signals <- "BOGUS"
		signals <- "sigterm"
	}()
	status, err := c.Exec(t.Context(), stdin(shell("trap 'echo usr1' USR1; trap 'exit 5' TERM; echo up; while :; do sleep 0.02; done")),
		guest.Stdio{Stdin: theirs, Stdout: signalWriter(up), Signals: signals})
	if err != nil || status.Code != 5 {
		t.Errorf("%+v, %v", status, err)
	}
	_ = theirs.Close()
}

func TestTerminal(t *testing.T) {
	t.Parallel()
	c := ready(t)
	req := wire.ExecRequest{
		Argv: []string{"/bin/sh"}, Env: []string{"PS1="}, TTY: true, Stdin: true,
		Size: &model.WinSize{Rows: 33, Cols: 101},
	}
	keyboard, keys := io.Pipe()
	var screen lockedBuffer
	resize := make(chan model.WinSize)
	ended := make(chan model.ExitStatus, 1)
	go func() {
		status, err := c.Exec(t.Context(), req, guest.Stdio{Stdin: keyboard, Stdout: &screen, Resize: resize})
		if err != nil {
			t.Error(err)
		}
		ended <- status
	}()
	typing := func(line, want string) {
		t.Helper()
		if _, err := io.WriteString(keys, line); err != nil {
			t.Fatal(err)
		}
		await(t, func() bool { return strings.Contains(screen.String(), want) })
	}
	typing("stty size; echo $TERM\n", "33 101\r\nxterm\r\n")
	typing("tty; echo over >/dev/tty\n", "/dev/pts/")
	resize <- model.WinSize{Rows: 44, Cols: 77}
	close(resize)
	typing("sleep 0.1; stty size\n", "44 77\r\n")
	typing("sleep 1000\n", "sleep 1000")
	typing("\x03echo status $?\n", "status 130")
	typing("stty -echo; exec sh -c 'cat; exit 9'\n", "cat; exit 9")
	_ = keys.Close() // typed as ^D
	if status := <-ended; status.Code != 9 {
		t.Errorf("%+v; screen %q", status, screen.String())
	}
}

// TestOutputHeldOpen: a process that leaves another behind, which holds its
// output open, ends in bounded time with all it wrote.
func TestOutputHeldOpen(t *testing.T) {
	t.Parallel()
	c := ready(t)
	for name, tc := range map[string]struct {
		req  wire.ExecRequest
		want string
	}{
		"silent":      {shell("echo before; sleep 1000 & echo $! >&2"), "before\n"},
		"late":        {shell("(sleep 0.2; echo after) & echo before"), "before\nafter\n"},
		"talking":     {shell("(while :; do echo more; done) & echo $! >&2"), "more\n"},
		"on terminal": {tty(shell("trap '' HUP; sleep 1000 & echo before")), "before\r\n"},
	} {
		var out, pid bytes.Buffer
		status, err := c.Exec(t.Context(), tc.req, guest.Stdio{Stdout: &out, Stderr: &pid})
		if err != nil || status.Code != 0 || !strings.HasPrefix(out.String(), tc.want) {
			t.Errorf("%s: %+v, %v, %.40q", name, status, err, out.String())
		}
		if _, err := c.Exec(t.Context(), shell("kill "+pid.String()), guest.Stdio{}); err != nil {
			t.Error(err)
		}
	}
}

// TestCallerCancels: the whole group is killed, though it would not listen.
func TestCallerCancels(t *testing.T) {
	t.Parallel()
	c := ready(t)
	pid := filepath.Join(t.TempDir(), "pid")
	req := shell("trap '' HUP TERM INT; sh -c 'echo $$ >" + pid + ".new; mv " + pid + ".new " + pid + "; sleep 1000' & wait")
	ctx, cancel := context.WithCancelCause(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := c.Exec(ctx, req, guest.Stdio{})
		ended <- err
	}()
	child := readWhenThere(t, pid)
	cancel(errors.New("not any more"))
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	await(t, func() bool { return !alive(child) })
	if _, err := c.Exec(ctx, shell("true"), guest.Stdio{}); !errors.Is(err, context.Canceled) {
		t.Errorf("exec of a caller who has left: %v", err)
	}
}

// TestWriterFails: nobody wants the output, so nothing needs to run.
func TestWriterFails(t *testing.T) {
	t.Parallel()
	c := ready(t)
	broken, w := io.Pipe()
	_ = broken.Close()
	_, err := c.Exec(t.Context(), shell("while :; do echo more; done"), guest.Stdio{Stdout: w})
	if !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("got %v", err)
	}
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	c := ready(t)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			var out bytes.Buffer
			want := fmt.Sprintf("%d\n", i)
			status, err := c.Exec(t.Context(), stdin(shell(fmt.Sprintf("cat; exit %d", i))), guest.Stdio{Stdin: strings.NewReader(want), Stdout: &out})
			if err != nil || status.Code != i || out.String() != want {
				t.Errorf("%d: %+v, %v, %q", i, status, err, out.String())
			}
		})
	}
	wg.Wait()
}

// TestTooMany: the limit is an answer, and control calls have places of their
// own.
func TestTooMany(t *testing.T) {
	t.Parallel()
	c := ready(t)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	up := make(chan struct{}, wire.MaxExecs)
	for range wire.MaxExecs {
		wg.Go(func() {
			_, _ = c.Exec(ctx, shell("echo; exec sleep 1000"), guest.Stdio{Stdout: chanWriter(up)})
		})
	}
	for range wire.MaxExecs {
		<-up
	}
	if _, err := c.Exec(t.Context(), shell("true"), guest.Stdio{}); model.CodeOf(err) != model.CodeLimit {
		t.Errorf("one more: %v", err)
	}
	if _, err := c.Hello(t.Context()); err != nil {
		t.Errorf("hello among them: %v", err)
	}
	cancel()
	wg.Wait()
	await(t, func() bool {
		_, err := c.Exec(t.Context(), shell("true"), guest.Stdio{})
		return err == nil
	})
}

// chanWriter tells of each write.
type chanWriter chan<- struct{}

func (w chanWriter) Write(p []byte) (int, error) { w <- struct{}{}; return len(p), nil }

// TestUsers needs root, as the agent has it in a guest.
func TestUsers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root: processes cannot be given other users")
	}
	t.Parallel()
	c := ready(t)
	for _, tc := range []struct{ user, want string }{
		{"", "0 0 /root"},
		{"daemon", "1 1 /usr/sbin"},
		{"1", "1 1 /usr/sbin"},
		{"daemon:tty", "1 5 /usr/sbin"},
		{"54321", "54321 0 /"},
		{"54321:12345", "54321 12345 /"},
		{"4294967294", "4294967294 0 /"},
	} {
		var out bytes.Buffer
		status, err := c.Exec(t.Context(), asUser(shell("echo $(id -u) $(id -g) $HOME; echo x >/dev/stdout"), tc.user), guest.Stdio{Stdout: &out})
		if diff := cmp.Diff(tc.want+"\nx\n", out.String()); err != nil || status.Code != 0 || diff != "" {
			t.Errorf("%q: %+v, %v\n%s", tc.user, status, err, diff)
		}
	}
}

func argv(args ...string) wire.ExecRequest { return wire.ExecRequest{Argv: args} }

func env(r wire.ExecRequest, vars ...string) wire.ExecRequest { r.Env = vars; return r }
func inDir(r wire.ExecRequest, dir string) wire.ExecRequest   { r.WorkingDir = dir; return r }
func made(r wire.ExecRequest) wire.ExecRequest                { r.MakeWorkingDir = true; return r }
func asUser(r wire.ExecRequest, user string) wire.ExecRequest { r.User = user; return r }
func stdin(r wire.ExecRequest) wire.ExecRequest               { r.Stdin = true; return r }
func tty(r wire.ExecRequest) wire.ExecRequest                 { r.TTY = true; return r }
func detached(r wire.ExecRequest) wire.ExecRequest            { r.Detach = true; return r }
