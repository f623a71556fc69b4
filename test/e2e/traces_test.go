package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// process is a process that belongs to a home.
type process struct {
	pid  int
	name string
}

// processes finds the processes whose arguments or environment name the home,
// whoever their parent is by now.
func (h *home) processes() []process {
	var found []process
	dirs, _ := filepath.Glob("/proc/[0-9]*") // the pattern is right
	for _, dir := range dirs {
		pid, _ := strconv.Atoi(filepath.Base(dir)) // digits
		if pid == os.Getpid() || !h.owns(dir) {
			continue
		}
		name, err := os.ReadFile(filepath.Join(dir, "comm"))
		if err == nil {
			found = append(found, process{pid, strings.TrimSpace(string(name))})
		}
	}
	return found
}

func (h *home) owns(proc string) bool {
	for _, file := range []string{"cmdline", "environ"} {
		text, err := os.ReadFile(filepath.Join(proc, file))
		if err == nil && bytes.Contains(text, []byte(h.dir)) {
			return true
		}
	}
	return false
}

// pids are the processes of the home called name.
func (h *home) pids(name string) []int {
	var pids []int
	for _, p := range h.processes() {
		if strings.HasPrefix(p.name, name) {
			pids = append(pids, p.pid)
		}
	}
	return pids
}

// traces is all that a VM or an image may leave behind: rows, directories and
// processes. The cache is not looked at: what is there is kept on purpose.
func (h *home) traces(t *testing.T) []string {
	t.Helper()
	list := strings.Fields(h.ok(t, "ps", "-q"))
	for _, name := range strings.Fields(h.ok(t, "image", "list", "-q")) {
		list = append(list, "image "+name)
	}
	for _, p := range h.processes() {
		list = append(list, p.name+" "+strconv.Itoa(p.pid))
	}
	for _, dir := range []string{"state/vms", "state/images", "state/kernels", "run/vm"} {
		list = append(list, h.entries(t, dir)...)
	}
	slices.Sort(list)
	return list
}

// atRest is traces of a home in which no VM runs, when the daemon has found out
// what its QEMU can do: it runs one for a moment to ask.
func (h *home) atRest(t *testing.T) []string {
	t.Helper()
	eventually(t, func() string {
		if pids := h.pids("qemu-system"); len(pids) > 0 {
			return fmt.Sprintf("QEMU still runs: %v", pids)
		}
		return ""
	})
	return h.traces(t)
}

// entries lists one directory of the home; one that is not there is empty.
func (h *home) entries(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(h.dir, dir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, filepath.Join(dir, e.Name()))
	}
	return list
}

// unchanged waits until the traces are what they were before.
func (h *home) unchanged(t *testing.T, before []string) {
	t.Helper()
	eventually(t, func() string { return cmp.Diff(before, h.traces(t)) })
}
