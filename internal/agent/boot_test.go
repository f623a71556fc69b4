package agent_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"banger/internal/guest"
	"banger/internal/model"
	"banger/internal/wire"
)

// TestBoot boots the agent as PID 1 of a real kernel, on a disk that knows
// nothing of it, and does with it all that a host does.
func TestBoot(t *testing.T) {
	m := boot(t)
	c := m.connect(t)
	began := time.Now()
	hello, err := c.Hello(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if hello.Configured || hello.AgentVersion != "test" || hello.BootID == "" {
		t.Fatalf("hello %+v", hello)
	}
	if _, err := c.Exec(t.Context(), shell("true"), guest.Stdio{}); model.CodeOf(err) != model.CodeConflict {
		t.Errorf("exec before configure: %v", err)
	}
	cfg := wire.Config{
		Hostname: "boot-test",
		Time:     time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC).UnixNano(),
		Entropy:  bytes.Repeat([]byte{7}, 64),
		Root:     wire.RootFS{Device: "/dev/vda", FSType: "ext4", Grow: true},
		Network:  &wire.Network{MAC: "52:54:00:12:34:56", Address: "10.0.2.15/24", Gateway: "10.0.2.2", DNS: []string{"10.0.2.3"}, MTU: 1400},
	}
	if err := c.Configure(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	if err := c.Configure(t.Context(), cfg); model.CodeOf(err) != model.CodeConflict {
		t.Errorf("configured twice: %v", err)
	}
	if hello, err = c.Hello(t.Context()); err != nil || !hello.Configured {
		t.Fatalf("hello %+v, %v", hello, err)
	}
	t.Logf("hello to configured %v; %+v", time.Since(began), hello.Marks)

	t.Run("guest", func(t *testing.T) { testGuest(t, c) })
	t.Run("signals", func(t *testing.T) { testInitSignals(t, c) })
	t.Run("tasks", func(t *testing.T) { testForkBomb(t, c) })
	t.Run("reconnect", func(t *testing.T) { c = testReconnect(t, m, c) })
	t.Run("alone", func(t *testing.T) { c = testAlone(t, m, c) })
	t.Run("throughput", func(t *testing.T) { testThroughput(t, c) })
	m.shutDown(t, c)
}

// testGuest looks at what configure and the supervisor have made.
func testGuest(t *testing.T, c *guest.Client) {
	for _, tc := range []struct {
		name, script, want string
		req                wire.ExecRequest
	}{
		{name: "host name", script: "hostname; cat /etc/hostname; grep boot-test /etc/hosts", want: "boot-test\nboot-test\n10.0.2.15\tboot-test\n"},
		{name: "clock", script: "date -u +%Y-%m-%dT%H", want: "2031-05-06T07\n"},
		{name: "entropy", script: "head -c 8 /dev/random | wc -c", want: "8\n"},
		{name: "root", script: "stat -f -c %T /; touch /probe && echo rw; stat -c %F /init /modules 2>&1 | grep -c 'No such'", want: "ext2/ext3\nrw\n2\n"},
		{name: "grown", script: "test $(stat -f -c %b /) -gt 50000 && echo grown", want: "grown\n"},
		{name: "mounts", script: "for d in /run /dev/shm /dev/pts /sys/fs/cgroup /proc /sys /dev; do grep -q \" $d \" /proc/mounts || echo $d missing; done", want: ""},
		{name: "links", script: "echo a | cat /dev/fd/0; echo b >/dev/stdout; readlink /dev/stderr", want: "a\nb\n/proc/self/fd/2\n"},
		{name: "resolv.conf", script: "cat /etc/resolv.conf; test -L /etc/resolv.conf || echo file", want: "nameserver 10.0.2.3\nfile\n"},
		{name: "network", script: "ip -o -4 addr show eth0 | awk '{print $4}'; cat /sys/class/net/eth0/mtu; ip route | head -1 | cut -d' ' -f1-5; ping -c 1 -W 10 10.0.2.2 >/dev/null && echo reached", want: "10.0.2.15/24\n1400\ndefault via 10.0.2.2 dev eth0\nreached\n"},
		{name: "loopback", script: "ping -c 1 -W 10 127.0.0.1 >/dev/null && echo reached", want: "reached\n"},
		{name: "user", req: wire.ExecRequest{User: "app"}, script: "id; echo $HOME $USER", want: "uid=1000(app) gid=1000(app) groups=1000(app),2000(extra)\n/home/app app\n"},
		{name: "reopened output", req: wire.ExecRequest{User: "app"}, script: "echo x >/dev/stdout; echo y >/proc/self/fd/1", want: "x\ny\n"},
		{name: "terminal", req: wire.ExecRequest{User: "app", TTY: true, Size: &model.WinSize{Rows: 30, Cols: 90}}, script: "stty size; tty; echo z >/dev/tty; echo $TERM", want: "30 90\r\n/dev/pts/0\r\nz\r\nxterm\r\n"},
		{name: "working directory", req: wire.ExecRequest{WorkingDir: "/made/here", MakeWorkingDir: true}, script: "pwd", want: "/made/here\n"},
		{name: "orphans are reaped", script: "(sleep 0.2 &) ; sleep 1; ps -o stat,args | grep -c '^[Z]'", want: "0\n"},
		{name: "open files", script: "ulimit -Sn; ulimit -Hn", want: "1024\n524288\n"},
		{name: "limits", script: "cat /proc/self/cgroup; cat /proc/self/oom_score_adj", want: "0::/guest\n0\n"},
	} {
		req := tc.req
		req.Argv = shell(tc.script).Argv
		var out, errOut bytes.Buffer
		_, err := c.Exec(t.Context(), req, guest.Stdio{Stdout: &out, Stderr: &errOut})
		if err != nil || out.String() != tc.want {
			t.Errorf("%s: %q (%s), %v; want %q", tc.name, out.String(), errOut.String(), err, tc.want)
		}
	}
}

// testInitSignals sends init what would end any other Go program.
func testInitSignals(t *testing.T, c *guest.Client) {
	status, err := c.Exec(t.Context(), shell("for s in HUP QUIT ILL TRAP ABRT BUS FPE SEGV PIPE ALRM XCPU SYS KILL; do kill -$s 1; done; sleep 0.2"), guest.Stdio{})
	if err != nil || status.Code != 0 {
		t.Fatalf("%+v, %v", status, err)
	}
	if _, err := c.Hello(t.Context()); err != nil {
		t.Errorf("init after signals: %v", err)
	}
}

// testForkBomb lets a process start as many others as it can; the limit is
// lowered, since the agent's own takes long to reach.
func testForkBomb(t *testing.T, c *guest.Client) {
	bomb := shell(`cd /sys/fs/cgroup/guest
test $(cat pids.max) -lt $(cat /proc/sys/kernel/threads-max) && echo limited
echo 60 >pids.max
(i=0; while [ $i -lt 100 ]; do sleep 1000 & i=$((i+1)); done)
sleep 1000 & # in the place of the subshell
echo full
read line
echo 1000 >pids.max
killall -9 sleep`)
	bomb.Stdin = true
	stdin, fuse := io.Pipe()
	var out lockedBuffer
	ended := make(chan error, 1)
	go func() {
		_, err := c.Exec(t.Context(), bomb, guest.Stdio{Stdin: stdin, Stdout: &out})
		ended <- err
	}()
	await(t, func() bool { return out.String() == "limited\nfull\n" })
	if status, err := c.Exec(t.Context(), shell("true"), guest.Stdio{}); err != nil || status.Code != 126 {
		t.Errorf("one process more: %+v, %v", status, err)
	}
	if _, err := c.Hello(t.Context()); err != nil {
		t.Errorf("agent among many processes: %v", err)
	}
	_ = fuse.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// await waits until cond holds.
func await(t *testing.T, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(bootTime); !cond(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it did not come to pass")
		}
	}
}

// lockedBuffer may be read while it is written.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// testReconnect drops the link in mid-transfer, several times, at once and
// with a pause.
func testReconnect(t *testing.T, m *machine, c *guest.Client) *guest.Client {
	for _, pause := range []time.Duration{0, 0, 300 * time.Millisecond} {
		ctx, cancel := context.WithCancel(t.Context())
		reading := make(chan struct{}, 1)
		ended := make(chan error, 1)
		go func() {
			_, err := c.Exec(ctx, wire.ExecRequest{Argv: []string{"cat", "/dev/zero"}}, guest.Stdio{Stdout: signalWriter(reading)})
			ended <- err
		}()
		select {
		case <-reading:
		case err := <-ended:
			t.Fatalf("transfer: %v", err)
		}
		_ = c.Close()
		if err := <-ended; err == nil {
			t.Error("the transfer outlived its link")
		}
		cancel()
		time.Sleep(pause)
		began := time.Now()
		c = m.connect(t)
		hello, err := c.Hello(t.Context())
		if err != nil || !hello.Configured {
			t.Fatalf("after reconnect: %+v, %v", hello, err)
		}
		t.Logf("reconnected after %v in %v", pause, time.Since(began))
	}
	return c
}

// testAlone leaves the guest without a host for two seconds of its processor's
// time, of which the agent may not take a quarter.
func testAlone(t *testing.T, m *machine, c *guest.Client) *guest.Client {
	ticks := func() (used int) { // hundredths of a second, utime and stime
		var out bytes.Buffer
		var user, system int
		_, err := c.Exec(t.Context(), shell("cut -d' ' -f14,15 /proc/1/stat"), guest.Stdio{Stdout: &out})
		if _, scanErr := fmt.Sscan(out.String(), &user, &system); err != nil || scanErr != nil {
			t.Fatal(out.String(), err, scanErr)
		}
		return user + system
	}
	before := ticks()
	_ = c.Close()
	time.Sleep(2 * time.Second)
	c = m.connect(t)
	if used := ticks() - before; used > 50 {
		t.Errorf("the agent used %d hundredths of a second", used)
	}
	return c
}

// signalWriter tells that something was written.
type signalWriter chan<- struct{}

func (w signalWriter) Write(p []byte) (int, error) {
	select {
	case w <- struct{}{}:
	default:
	}
	return len(p), nil
}

// testThroughput logs how fast bytes go both ways.
func testThroughput(t *testing.T, c *guest.Client) {
	const size = 64 << 20
	var out bytes.Buffer
	began := time.Now()
	status, err := c.Exec(t.Context(), shell(fmt.Sprintf("dd if=/dev/zero bs=64k count=%d 2>/dev/null", size>>16)), guest.Stdio{Stdout: &out})
	if err != nil || status.Code != 0 || out.Len() != size {
		t.Fatalf("%+v, %v, %d bytes", status, err, out.Len())
	}
	from := time.Since(began)
	began = time.Now()
	req := shell("cat >/dev/null; echo taken")
	req.Stdin = true
	var count bytes.Buffer
	if _, err := c.Exec(t.Context(), req, guest.Stdio{Stdin: &out, Stdout: &count}); err != nil || count.String() != "taken\n" {
		t.Fatalf("%s, %v", count.String(), err)
	}
	to := time.Since(began)
	began = time.Now()
	const rounds = 20
	for range rounds {
		if _, err := c.Exec(t.Context(), wire.ExecRequest{Argv: []string{"true"}}, guest.Stdio{}); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("from the guest %.0f MB/s, to it %.0f MB/s, exec of true %v", mbs(size, from), mbs(size, to), time.Since(began)/rounds)
}

func mbs(n int, d time.Duration) float64 { return float64(n) / 1e6 / d.Seconds() }

// shutDown ends the guest with a stubborn process in it.
func (m *machine) shutDown(t *testing.T, c *guest.Client) {
	detached := shell("trap '' TERM HUP; echo to the console; sleep 1000")
	detached.Detach = true
	if status, err := c.Exec(t.Context(), detached, guest.Stdio{}); err != nil || status.Code != 0 {
		t.Fatalf("detached: %+v, %v", status, err)
	}
	await(t, func() bool {
		log, err := os.ReadFile(m.console)
		return err == nil && bytes.Contains(log, []byte("to the console"))
	})
	began := time.Now()
	if err := c.Shutdown(t.Context(), 300*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	select {
	case <-m.exited:
	case <-time.After(bootTime):
		t.Fatal("the guest did not switch itself off")
	}
	t.Logf("switched off in %v", time.Since(began))
	log, err := os.ReadFile(m.console)
	if err != nil || bytes.Contains(log, []byte("banger-agent:")) {
		t.Errorf("console: %s, %v", log, err)
	}
	out, err := exec.CommandContext(t.Context(), "e2fsck", "-fn", filepath.Join(filepath.Dir(m.console), "root.ext4")).CombinedOutput()
	if err != nil || bytes.Contains(out, []byte("recovering journal")) {
		t.Errorf("root filesystem after shutdown: %v\n%s", err, out)
	}
}
