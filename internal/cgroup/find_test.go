package cgroup

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestHierarchies(t *testing.T) {
	t.Parallel()
	const mountinfo = `24 1 0:22 / /proc rw - proc proc rw
31 24 0:26 / /sys/fs/cgroup ro shared:9 - tmpfs tmpfs ro
32 31 0:27 / /sys/fs/cgroup/unified rw shared:10 - cgroup2 cgroup2 rw
35 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw shared:15 - cgroup cgroup rw,cpu,cpuacct
36 31 0:31 / /a\040b/memory rw - cgroup cgroup rw,memory
37 31 0:32 /part /bound rw - cgroup cgroup rw,pids
38 31 0:33 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer
short
`
	const self = "4:memory:/user\n3:cpu,cpuacct:/\n2:pids:/x\n1:name=systemd:/init\n0::/user.slice/me\nodd\n"
	want := []hierarchy{
		{2, "/sys/fs/cgroup/unified", "/user.slice/me", nil},
		{1, "/sys/fs/cgroup/cpu,cpuacct", "/", []string{"cpu"}},
		{1, "/a b/memory", "/user", []string{"memory"}},
	}
	if diff := cmp.Diff(want, hierarchies([]byte(mountinfo), []byte(self)), cmp.AllowUnexported(hierarchy{})); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestWithoutGroups(t *testing.T) {
	t.Parallel()
	m := find(nil)
	if m.Version() != 0 || m.Why() == "" || len(m.Dirs("x")) != 0 {
		t.Errorf("%+v", m)
	}
	if err := errors.Join(m.Make(t.Context(), "x", Limits{MemoryBytes: 1}), m.Remove(t.Context(), "x"), Join(m.Dirs("x"), 1)); err != nil {
		t.Error(err)
	}
}

// TestVersion2 works on plain files: what would be written where.
func TestVersion2(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("cgroup.controllers", "cpuset cpu io memory pids\n")
	write("cgroup.subtree_control", "")
	have, err := enable2(dir)
	if err != nil || !slices.Equal(have, []string{"memory", "cpu", "pids"}) {
		t.Fatal(have, err)
	}
	if text, _ := os.ReadFile(filepath.Join(dir, "cgroup.subtree_control")); string(text) != "+memory +cpu +pids" {
		t.Errorf("subtree_control %q", text)
	}
	m := &Manager{version: 2, bases: []base{{dir, []string{"memory", "cpu"}}}}
	if why := m.Why(); why != "no controller for pids" {
		t.Error(why)
	}
	group := m.Dirs("a1")[0]
	if err := os.Mkdir(group, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"memory.max", "memory.oom.group", "cpu.max", "cgroup.procs"} { // no swap: as in kernels without
		if err := os.WriteFile(filepath.Join(group, file), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Make(t.Context(), "a1", Limits{MemoryBytes: 5 << 20, MilliCPUs: 1500, Processes: 9}); err != nil {
		t.Fatal(err)
	}
	if err := Join(m.Dirs("a1"), 77); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{"memory.max": "5242880", "memory.oom.group": "1", "cpu.max": "150000 100000", "cgroup.procs": "77"} {
		if text, err := os.ReadFile(filepath.Join(group, file)); err != nil || string(text) != want {
			t.Errorf("%s: %q, %v", file, text, err)
		}
	}
	if ids := m.IDs(); !slices.Equal(ids, []string{"a1"}) {
		t.Error(ids)
	}
}

// TestForReal limits a process of this host.
func TestForReal(t *testing.T) {
	t.Parallel()
	m := Find()
	if m.Version() == 0 {
		t.Skip("no control groups: " + m.Why())
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	id := "test-" + strconv.Itoa(os.Getpid())
	limits := Limits{MemoryBytes: 64 << 20, MilliCPUs: 500, Processes: 7}
	if err := m.Make(ctx, id, limits); errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) || errors.Is(err, unix.EROFS) {
		t.Skip("control groups cannot be made: ", err)
	} else if err != nil {
		t.Fatal(err)
	}
	if err := m.Make(ctx, id, limits); err != nil { // again: as after a crash
		t.Error(err)
	}
	child := exec.CommandContext(ctx, "sleep", "1000")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = child.Wait() }()
	defer func() { _ = child.Process.Kill() }()
	if err := Join(m.Dirs(id), child.Process.Pid); err != nil {
		t.Fatal(err)
	}
	groups, err := os.ReadFile("/proc/" + strconv.Itoa(child.Process.Pid) + "/cgroup")
	if err != nil || strings.Count(string(groups), "/"+prefix+id) != len(m.bases) {
		t.Errorf("%s in %d trees, %v", groups, len(m.bases), err)
	}
	if m.Version() == 1 {
		short, end := context.WithTimeout(ctx, 20*time.Millisecond)
		if err := m.Remove(short, id); err == nil {
			t.Error("a group with a process was removed")
		}
		end()
		_ = child.Process.Kill()
		_ = child.Wait()
	}
	if err := errors.Join(m.Remove(ctx, id), m.Remove(ctx, id)); err != nil {
		t.Error(err)
	}
	if slices.Contains(m.IDs(), id) {
		t.Error("the group is still there")
	}
}

// TestGroupWithAProcess: version 2 kills what is left in a group. A host of
// version 1 may have a tree of version 2 beside it.
func TestGroupWithAProcess(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var dir string
	for _, root := range []string{"/sys/fs/cgroup/unified", "/sys/fs/cgroup"} {
		dir = filepath.Join(root, prefix+"kill-"+strconv.Itoa(os.Getpid()))
		if err := os.Mkdir(dir, 0o700); err != nil {
			continue
		}
		if _, err := os.Stat(filepath.Join(dir, "cgroup.kill")); err == nil {
			break
		}
		_ = os.Remove(dir)
		dir = ""
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no control groups of version 2 with cgroup.kill can be made")
	}
	child := exec.CommandContext(ctx, "sleep", "1000")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = child.Process.Kill() }()
	if err := Join([]string{dir}, child.Process.Pid); err != nil {
		t.Fatal(err)
	}
	if err := removeGroup(ctx, dir); err != nil {
		t.Error(err)
	}
	var ended *exec.ExitError
	if err := child.Wait(); !errors.As(err, &ended) || ended.ExitCode() != -1 {
		t.Errorf("the process: %v", err)
	}
}
