package agent_test

import (
	"bytes"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"banger/internal/agent"
	"banger/internal/wire"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// TestEtc: names and servers arrive in whatever an image has for an /etc.
func TestEtc(t *testing.T) {
	t.Parallel()
	const local = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n"
	card := &wire.Network{Address: "10.0.2.15/24", DNS: []string{"10.0.2.3", "fec0::3"}}
	for name, tc := range map[string]struct {
		prepare func(t *testing.T, etc string)
		network *wire.Network
		want    map[string]string
	}{
		"missing": {nil, card, map[string]string{
			"hostname": "web\n", "hosts": local + "10.0.2.15\tweb\n", "resolv.conf": "nameserver 10.0.2.3\nnameserver fec0::3\n",
		}},
		"no network": {nil, nil, map[string]string{"hostname": "web\n", "hosts": local + "127.0.1.1\tweb\n", "resolv.conf": ""}},
		"kept": {func(t *testing.T, etc string) {
			write(t, etc+"/hosts", "10.1.1.1 db\n127.0.0.1 localhost web # mine")
			write(t, etc+"/resolv.conf", "nameserver 9.9.9.9\n")
		}, nil, map[string]string{"hosts": "10.1.1.1 db\n127.0.0.1 localhost web # mine", "resolv.conf": "nameserver 9.9.9.9\n"}},
		"added": {func(t *testing.T, etc string) { write(t, etc+"/hosts", "10.1.1.1 db # web") }, card,
			map[string]string{"hosts": "10.1.1.1 db # web\n10.0.2.15\tweb\n"}},
		"dangling link": {func(t *testing.T, etc string) { link(t, "../run/none/resolv.conf", etc+"/resolv.conf") }, card,
			map[string]string{"resolv.conf": "nameserver 10.0.2.3\nnameserver fec0::3\n"}},
		"link to another file": {func(t *testing.T, etc string) {
			write(t, etc+"/shadow", "secret")
			link(t, "shadow", etc+"/hosts")
		}, card, map[string]string{"shadow": "secret", "hosts": local + "10.0.2.15\tweb\n"}},
		"pipe": {func(t *testing.T, etc string) {
			if err := unix.Mkfifo(etc+"/hostname", 0o644); err != nil {
				t.Fatal(err)
			}
		}, card, map[string]string{"hostname": "web\n"}},
	} {
		etc := filepath.Join(t.TempDir(), "etc")
		if tc.prepare != nil {
			if err := os.Mkdir(etc, 0o755); err != nil {
				t.Fatal(err)
			}
			tc.prepare(t, etc)
		}
		for range 2 { // a second boot changes nothing
			if err := agent.WriteEtc(etc, wire.Config{Hostname: "web", Network: tc.network}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for file, want := range tc.want {
			got, err := os.ReadFile(filepath.Join(etc, file))
			if diff := cmp.Diff(want, string(got)); diff != "" {
				t.Errorf("%s: %s: %v\n%s", name, file, err, diff)
			}
		}
		if left, _ := filepath.Glob(etc + "/.*"); len(left) > 0 {
			t.Errorf("%s: left behind: %v", name, left)
		}
	}
}

// TestHostileEtc: what cannot be written is an error, and no more than that.
func TestHostileEtc(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cfg := wire.Config{Hostname: "web"}
	write(t, dir+"/file", "")
	link(t, "loop", dir+"/loop")
	if err := os.MkdirAll(dir+"/full/hosts/x", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, etc := range []string{"/file", "/loop", "/full"} {
		if err := agent.WriteEtc(dir+etc, cfg); err == nil {
			t.Errorf("%s: no error", etc)
		}
	}
	if got, err := os.ReadFile(dir + "/full/hostname"); string(got) != "web\n" {
		t.Errorf("beside a file that cannot be written: %q, %v", got, err)
	}
}

func TestFindCard(t *testing.T) {
	t.Parallel()
	one, two, none := t.TempDir(), t.TempDir(), t.TempDir()
	for path, mac := range map[string]string{
		one + "/lo": "00:00:00:00:00:00", one + "/eth0": "52:54:00:aa:bb:cc",
		two + "/eth0": "52:54:00:00:00:01", two + "/eth1": "52:54:00:00:00:02",
	} {
		if err := os.Mkdir(path, 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, path+"/address", mac+"\n")
	}
	for _, tc := range []struct{ dir, mac, want string }{
		{one, "", "eth0"}, {one, "52:54:00:AA:BB:CC", "eth0"}, {two, "52:54:00:00:00:02", "eth1"},
		{one, "52:54:00:00:00:01", ""}, {one, "00:00:00:00:00:00", ""}, {two, "", ""}, {none, "", ""}, {none + "/x", "", ""},
	} {
		got, err := agent.FindCard(tc.dir, tc.mac)
		if got != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("%s %q: %q, %v; want %q", tc.dir, tc.mac, got, err, tc.want)
		}
	}
}

// TestAccounts resolves users against files that an image may have.
func TestAccounts(t *testing.T) {
	t.Parallel()
	plain, bare, odd, hostile := t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()
	for _, dir := range []string{plain, odd, hostile} {
		if err := os.Mkdir(dir+"/etc", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, plain+"/etc/passwd", "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/srv/app:/bin/sh\n777:x:5:5::/x:\n")
	write(t, plain+"/etc/group", "root:x:0:\napp:x:1001:\nweb:x:33:app,root\nlog:x:4:x,app\nwebapp:x:9:xapp\n")
	write(t, odd+"/etc/passwd", "\n:::\nroot\nroot:x:zero:0\nroot:x:4294967295:0::/:\napp:x:1000:99999999999\napp:x:7:8:gecos:relative\n#app")
	write(t, odd+"/etc/group", "x:::app\nbad:x:-1:app\ngood:x:3:app:extra")
	link(t, "/dev/zero", hostile+"/etc/passwd")
	if err := unix.Mkfifo(hostile+"/etc/group", 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		root, user string
		want       any // nil: an error
	}{
		{plain, "", agent.NewAccount(0, 0, []uint32{0, 33}, "root", "/root")},
		{plain, "app", agent.NewAccount(1000, 1001, []uint32{1001, 33, 4}, "app", "/srv/app")},
		{plain, "1000", agent.NewAccount(1000, 1001, []uint32{1001, 33, 4}, "app", "/srv/app")},
		{plain, "app:web", agent.NewAccount(1000, 33, []uint32{33}, "app", "/srv/app")},
		{plain, "app:", agent.NewAccount(1000, 1001, []uint32{1001, 33, 4}, "app", "/srv/app")},
		{plain, ":web", agent.NewAccount(0, 33, []uint32{33}, "root", "/root")},
		{plain, "12:34", agent.NewAccount(12, 34, []uint32{34}, "", "/")},
		{plain, "777", agent.NewAccount(777, 0, []uint32{0}, "", "/")}, // a number is never a name
		{plain, "nobody", nil},
		{plain, "app:none", nil},
		{plain, "-1", nil},
		{plain, "4294967295", nil},
		{plain, "0:4294967295", nil},
		{plain, "18446744073709551616", nil},
		{bare, "", agent.NewAccount(0, 0, []uint32{0}, "", "/")},
		{bare, "1000:1000", agent.NewAccount(1000, 1000, []uint32{1000}, "", "/")},
		{bare, "root", nil},
		{odd, "app", agent.NewAccount(7, 8, []uint32{8, 3}, "app", "/")},
		{odd, "root", nil},
		{hostile, "", nil},
		{hostile, "0:0", nil},
	} {
		got, err := agent.LookupAccount(tc.root, tc.user)
		if tc.want == nil && err == nil || tc.want != nil && (err != nil || !reflect.DeepEqual(got, tc.want)) {
			t.Errorf("%s %q: %+v, %v; want %+v", filepath.Base(tc.root), tc.user, got, err, tc.want)
		}
	}
}

func FuzzAccounts(f *testing.F) {
	f.Add("root:x:0:0:root:/root:/bin/sh\n", "web:x:33:app\n", "app:web")
	f.Add(":::::\n\n", "\x00", "4294967295:-1")
	f.Fuzz(func(t *testing.T, passwd, group, user string) {
		root := t.TempDir()
		if err := os.Mkdir(root+"/etc", 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, root+"/etc/passwd", passwd)
		write(t, root+"/etc/group", group)
		a, err := agent.LookupAccount(root, user)
		if err == nil && (a.UID() == math.MaxUint32 || a.GID() == math.MaxUint32 || !strings.HasPrefix(a.Home(), "/")) {
			t.Errorf("%q is %+v", user, a)
		}
	})
}

func TestWithoutSignature(t *testing.T) {
	t.Parallel()
	const marker = "~Module signature appended~\n"
	signed := "ELF module" + "SIG" + "\x00\x00\x02\x00\x00\x00\x00\x00\x00\x00\x00\x03" + marker
	for in, want := range map[string]string{
		"":           "",
		"ELF module": "ELF module",
		signed:       "ELF module",
		marker:       marker,
		"\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff" + marker:  "\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff" + marker,
		"x\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" + marker: "x\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01" + marker,
	} {
		if got := agent.WithoutSignature([]byte(in)); string(got) != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// TestBlocks compares with what mke2fs was asked for.
func TestBlocks(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("mke2fs"); err != nil {
		t.Skip("no mke2fs")
	}
	path := filepath.Join(t.TempDir(), "fs")
	if out, err := exec.CommandContext(t.Context(), "mke2fs", "-q", "-t", "ext4", "-b", "2048", path, "5000").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.Truncate(path, 6000*2048+5); err != nil {
		t.Fatal(err)
	}
	have, want, err := agent.Blocks(path)
	if have != 5000 || want != 6000 || err != nil {
		t.Errorf("%d of %d blocks, %v", have, want, err)
	}
	zero := filepath.Join(t.TempDir(), "zero")
	write(t, zero, string(bytes.Repeat([]byte{0}, 4096)))
	if _, _, err := agent.Blocks(zero); err == nil {
		t.Error("zeros are an ext4")
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}
