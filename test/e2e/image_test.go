package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestDebianImage looks from inside a guest at what test/images/mklayers put
// into the image.
func TestDebianImage(t *testing.T) {
	w := needWorld(t)
	t.Parallel()
	w.home.vm(t, "debian-multi", "debian-multi")
	past := time.Date(1935, 3, 1, 12, 0, 0, 0, time.UTC).Unix()
	future := time.Date(2100, 3, 1, 12, 0, 0, 0, time.UTC).Unix()
	for _, look := range []struct{ what, script, want string }{
		{"distribution", `. /etc/os-release; echo $ID`, "debian"},
		{"root file system", `awk '$2 == "/" && $1 != "rootfs" {print $3, substr($4, 1, 2)}' /proc/mounts`, "ext4 rw"},

		{"whiteouts", `cd /opt/app; ls -A`, "dir-to-file\ndir-to-link\nkept\nreplaced"},
		{"whiteout of Debian's", `test -e /usr/share/doc || echo gone`, "gone"},
		{"kept file", `cat /opt/app/kept`, "kept"},
		{"replaced file", `cat /opt/app/replaced; stat -c %a /opt/app/replaced`, "upper\n600"},
		{"directory to link", `readlink /opt/app/dir-to-link; ls -A /opt/app/dir-to-link`, "../opaque\nnew"},
		{"directory to file", `cat /opt/app/dir-to-file`, "now a file"},
		{"opaque directory", `ls -A /opt/opaque; cat /opt/opaque/new`, "new\nnew"},

		{"links across layers", `cd /opt/links; stat -c %i one two three | sort -u | wc -l`, "1"},
		{"link count", `stat -c '%h %a %u:%g' /opt/links/one`, "3 600 7:8"},
		{"link without its first name", `cat /opt/links/second; stat -c %h /opt/links/second`, "survives\n1"},

		{"capability", `getcap /opt/bin/busybox`, "/opt/bin/busybox cap_net_raw=ep"},
		{"set-id modes", `stat -c '%a %u:%g' /opt/bin/suid /opt/bin/sgid`, "4755 0:0\n2755 0:42"},
		{"sticky directory", `stat -c '%a %u:%g' /opt/odd/sticky`, "3777 1234:5678"},
		{"large owner", `stat -c '%a %u:%g' /opt/odd/owner`, "640 4000000000:3999999999"},
		{"mode 0", `stat -c %a /opt/odd/mode0`, "0"},
		{"short attribute", `getfattr --only-values -n user.note /opt/odd/attributes`, "short"},
		{"long attribute", `getfattr --only-values -n user.long /opt/odd/attributes | tr -d '\n' | wc -c`, "900"},
		{"devices", `stat -c '%F %t:%T %a' /opt/odd/null /opt/odd/disk`,
			"character special file 1:3 640\nblock special file 8:12c 640"},
		{"fifo", `stat -c '%F %a' /opt/odd/fifo`, "fifo 600"},
		{"old time", `stat -c %Y /opt/odd/past`, strconv.FormatInt(past, 10)},
		{"time after 2038", `stat -c %.9Y /opt/odd/future`, fmt.Sprintf("%d.123456789", future)},
		{"directory time", `stat -c %Y /opt/odd`, strconv.FormatInt(time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC).Unix(), 10)},
		{"longest name", `cat /opt/odd/` + strings.Repeat("n", 255), "long name"},
		{"other alphabets", `cat "/opt/odd/ünï cödé"`, "name"},
		{"new line in a name", `cat "$(printf '/opt/odd/new\nline')"`, "name"},
		{"link in the inode", `readlink /opt/odd/link59`, strings.Repeat("b", 59)},
		{"link in a block", `readlink /opt/odd/link60`, strings.Repeat("c", 60)},
		{"link of many bytes", `readlink /opt/odd/link3000 | tr -d '\n' | wc -c`, "3000"},
		{"large body", `uniq /opt/odd/body; wc -c </opt/odd/body`, "0123456789abcde\n3145728"},
		{"zeros", `tr -d '\0' </opt/odd/zeros | wc -c; wc -c </opt/odd/zeros`, "0\n2097152"},
		{"many files", `ls /opt/many | wc -l; test -e /opt/many/a-file-with-a-longish-name-1999 && echo last`, "2000\nlast"},
		{"Debian's own files", `dpkg --verify base-files coreutils passwd | grep -v /usr/share/ || echo whole`, "whole"},
		{"kernel's opinion", `dmesg | grep -iE 'EXT4-fs.*(error|warning)' || echo clean`, "clean"},
	} {
		t.Run(look.what, func(t *testing.T) {
			if diff := cmp.Diff(look.want, w.home.guest(t, "debian-multi", look.script)); diff != "" {
				t.Errorf("%s\n(-want +got)\n%s", look.script, diff)
			}
		})
	}
	t.Run("capability works", func(t *testing.T) {
		status := w.home.ok(t, "exec", "-u", "1000", "debian-multi", "--", "/opt/bin/busybox", "cat", "/proc/self/status")
		if want := "CapEff:\t0000000000002000\n"; !strings.Contains(status, want) {
			t.Errorf("%q is not in\n%s", want, status)
		}
	})
	t.Run("set-user-id works", func(t *testing.T) {
		got := probed(t, w.home.ok(t, "exec", "-u", "1000", "debian-multi", "--", "/opt/bin/suid"))
		if got.UID != 1000 || got.EUID != 0 {
			t.Errorf("uid %d, effective uid %d, want 1000 and 0", got.UID, got.EUID)
		}
	})
}

// probe is what test/images/probe prints.
type probe struct {
	UID  int      `json:"uid"`
	EUID int      `json:"euid"`
	GID  int      `json:"gid"`
	Cwd  string   `json:"cwd"`
	Env  []string `json:"env"`
}

func probed(t *testing.T, text string) probe {
	t.Helper()
	var p probe
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return p
}

func TestBusyboxImages(t *testing.T) {
	w := needWorld(t)
	t.Parallel()
	for _, name := range []string{"busybox", "busybox-zstd"} {
		t.Run(name, func(t *testing.T) {
			got := w.home.ok(t, "run", "--rm", name, "--", "sh", "-c", "uname -s; stat -c %h /bin/sh; id -u")
			if want := "Linux\n25\n0\n"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// TestDistrolessImage runs a program in a guest that has nothing else: what
// the process gets comes from banger alone.
func TestDistrolessImage(t *testing.T) {
	w := needWorld(t)
	t.Parallel()
	t.Run("image's own entrypoint", func(t *testing.T) {
		got := probed(t, w.home.ok(t, "run", "--rm", "distroless"))
		if got.UID != 0 || got.GID != 0 || got.Cwd != "/" {
			t.Errorf("got %+v, want root in /", got)
		}
		if !slices.ContainsFunc(got.Env, func(v string) bool { return strings.HasPrefix(v, "PATH=/") }) {
			t.Errorf("no PATH in %q", got.Env)
		}
	})
	w.home.vm(t, "distroless", "distroless")
	for _, tt := range []struct {
		what string
		argv []string
		code int
		talk string
	}{
		{"its status", []string{"/probe", "exit", "42"}, 42, ""},
		{"a missing command", []string{"/bin/sh"}, 127, "/bin/sh"},
		{"a command missing in PATH", []string{"nothing"}, 127, "nothing"},
		{"a file that is not executable", []string{"/not-executable"}, 126, "/not-executable"},
		{"a directory", []string{"/proc"}, 126, "/proc"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			r := w.home.try(t, append([]string{"exec", "distroless", "--"}, tt.argv...)...)
			if r.code != tt.code || !strings.Contains(r.stderr, tt.talk) || r.stdout != "" {
				t.Errorf("want exit code %d and a word on %q, got %s", tt.code, tt.talk, r)
			}
		})
	}
}

// TestNonrootImage checks that a process gets the image's user, directory and
// environment, and that flags win over them.
func TestNonrootImage(t *testing.T) {
	w := needWorld(t)
	t.Parallel()
	t.Run("image's own command", func(t *testing.T) {
		got := w.home.ok(t, "run", "--rm", "nonroot")
		for _, want := range []string{
			"uid=1000(app) gid=1000(app) groups=1000(app),2000(extra)\n/srv/app\n",
			"\nGREETING=hello world\n", "\nHOME=/home/app\n", "\nPATH=/bin\n",
		} {
			if !strings.Contains(got, want) {
				t.Errorf("%q is not in\n%s", want, got)
			}
		}
	})
	w.home.vm(t, "nonroot", "nonroot", "-e", "LATER=vm")
	for _, tt := range []struct {
		what  string
		flags []string
		argv  []string
		want  string
	}{
		{"the image's", nil, []string{"sh", "-c", "echo $(id -u):$(id -g) $PWD $GREETING $LATER"}, "1000:1000 /srv/app hello world vm"},
		{"its own files", nil, []string{"sh", "-c", "touch mine && stat -c %u:%g mine readme"}, "1000:1000\n1000:1000"},
		{"-u NAME", []string{"-u", "root"}, []string{"sh", "-c", "id; echo $HOME"}, "uid=0(root) gid=0(root) groups=0(root)\n/root"},
		{"-u UID", []string{"-u", "12"}, []string{"id"}, "uid=12 gid=0(root) groups=0(root)"},
		{"-u UID:GID", []string{"-u", "12:34"}, []string{"id"}, "uid=12 gid=34 groups=34"},
		{"-w", []string{"-w", "/home/app"}, []string{"pwd"}, "/home/app"},
		{"-e over the VM's", []string{"-e", "LATER=exec", "-e", "MORE=1"}, []string{"sh", "-c", "echo $LATER $MORE"}, "exec 1"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			args := append(append([]string{"exec"}, tt.flags...), "nonroot", "--")
			got := strings.TrimSpace(w.home.ok(t, append(args, tt.argv...)...))
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	t.Run("a user that is not there", func(t *testing.T) {
		r := w.home.try(t, "exec", "-u", "nobody-here", "nonroot", "--", "id")
		if (r.code != 125 && r.code != 126) || !strings.Contains(r.stderr, "nobody-here") {
			t.Errorf("want exit code 125 or 126 and the name, got %s", r)
		}
	})
}
