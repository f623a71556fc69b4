package soak

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"banger/internal/model"
	"banger/internal/rpc"
)

// traces is all that a daemon may leave behind.
type traces struct {
	VMs       []string
	Images    []string
	Kernels   []string
	Files     []string // below the home, the database and logs aside
	Processes int
}

// settled waits until the traces are those wanted and returns the difference
// if they do not become so.
func (h *home) settled(want traces) string {
	h.t.Helper()
	var diff string
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if diff = cmp.Diff(want, h.traces()); diff == "" {
			return ""
		}
	}
	return diff
}

func (h *home) traces() traces {
	h.t.Helper()
	tr := traces{VMs: h.vmNames(), Processes: len(h.processes())}
	images, err := h.ListImages(h.t.Context())
	h.must(err)
	for _, img := range images {
		tr.Images = append(tr.Images, img.Name)
	}
	kernels, err := h.ListKernels(h.t.Context())
	h.must(err)
	for _, k := range kernels {
		tr.Kernels = append(tr.Kernels, k.Name)
	}
	tr.Files = h.files()
	return tr
}

func (h *home) vmNames() (names []string) {
	h.t.Helper()
	vms, err := h.ListVMSummaries(h.t.Context())
	h.must(err)
	for _, v := range vms {
		names = append(names, v.Name)
	}
	return names
}

// files lists what is below the directories that operations work in.
func (h *home) files() (found []string) {
	h.t.Helper()
	err := filepath.WalkDir(h.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // it went away meanwhile
		}
		rel, _ := filepath.Rel(h.dir, path)
		switch {
		case strings.HasPrefix(rel, "state/banger.db"), rel == "log", rel == "state/events.jsonl.1", strings.HasPrefix(rel, "cache/oci"), strings.HasPrefix(rel, "cache/build-steps"), rel == "cache/kvm.json":
		case strings.HasPrefix(rel, "cache/apt") && !strings.HasSuffix(rel, ".deb"): // package lists, kept for the next pull
		case d.IsDir() && (filepath.Base(path) == "vms" || filepath.Base(path) == "vm" || filepath.Base(path) == "volumes"):
		case d.IsDir() && (rel == "cache/kernel-build" || rel == "cache/kernel-test" || rel == "run/test"):
		case rel == "state/kernels/.default": // a choice that was made
		default:
			found = append(found, rel)
		}
		return nil
	})
	h.must(err)
	return found
}

// processes returns the pids of the VMs of this home.
func (h *home) processes() (pids []int) {
	entries, err := os.ReadDir("/proc")
	h.must(err)
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		args, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if err == nil && bytes.Contains(args, []byte(h.dir+"/")) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// clear deletes everything but what newHome made.
func (h *home) clear() {
	h.t.Helper()
	for _, name := range h.vmNames() {
		h.must(gone(h.deleteVM(name)))
	}
	_, err := h.PruneVolumes(h.t.Context(), rpc.VolumePruneParams{})
	h.must(err)
	tr := h.traces()
	for _, name := range tr.Images {
		if name != "app" {
			h.must(gone(h.deleteImage(name)))
		}
	}
	for _, name := range tr.Kernels {
		if !slices.Contains(h.kept, name) {
			h.must(gone(h.deleteKernel(name)))
		}
	}
}

// gone takes what does not exist any more for deleted.
func gone(err error) error {
	if model.CodeOf(err) == model.CodeNotFound {
		return nil
	}
	return err
}

// has tells whether a VM is in one of the states.
func (h *home) has(name string, states ...model.VMState) bool {
	h.t.Helper()
	vm, err := h.ShowVM(h.t.Context(), rpc.NameParams{Name: name})
	return err == nil && slices.Contains(states, vm.State)
}
