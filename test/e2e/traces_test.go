package e2e

import (
	"bytes"
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
// processes. Blobs in the cache are not: they are kept on purpose.
func (h *home) traces(t *testing.T) []string {
	t.Helper()
	list := strings.Fields(h.ok(t, "ps", "-q"))
	for _, name := range strings.Fields(h.ok(t, "image", "list", "-q")) {
		list = append(list, "image "+name)
	}
	for _, p := range h.processes() {
		list = append(list, p.name+" "+strconv.Itoa(p.pid))
	}
	for _, dir := range []string{"state", "run", "cache"} {
		list = append(list, h.entries(t, dir)...)
	}
	slices.Sort(list)
	return list
}

// entries lists what is below one directory of the home, to the depth at
// which VMs and images have theirs.
func (h *home) entries(t *testing.T, dir string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(filepath.Join(h.dir, dir), func(path string, d fs.DirEntry, err error) error {
		rel, relErr := filepath.Rel(h.dir, path)
		switch {
		case os.IsNotExist(err):
			return nil // it went away while we looked
		case err != nil || relErr != nil:
			return fmt.Errorf("%s: %w", path, err)
		case strings.HasPrefix(rel, "cache/oci/blobs/"), strings.HasPrefix(rel, "state/banger.db"):
			return nil
		case d.IsDir() && strings.Count(rel, "/") >= 3:
			return fs.SkipDir
		}
		list = append(list, rel)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// unchanged waits until the traces are what they were before.
func (h *home) unchanged(t *testing.T, before []string) {
	t.Helper()
	eventually(t, func() string { return cmp.Diff(before, h.traces(t)) })
}
