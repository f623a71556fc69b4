package cgroup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// prefix begins the names of our groups.
const prefix = "banger-"

// Manager makes groups. The zero value makes none.
type Manager struct {
	version int
	bases   []base
	why     string
}

// base is a directory in which groups are made, and what they can limit.
type base struct {
	dir         string
	controllers []string
}

// Find looks where on this host groups may be made. It never fails: a host
// that allows none is one on which VMs run without limits.
func Find() *Manager {
	mountinfo, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return &Manager{why: err.Error()}
	}
	self, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return &Manager{why: err.Error()}
	}
	return find(hierarchies(mountinfo, self))
}

func find(all []hierarchy) *Manager {
	m := &Manager{}
	for _, h := range all {
		if h.version != 2 {
			continue
		}
		dir, err := prepare2(h)
		if err != nil {
			m.why = err.Error()
			continue
		}
		return &Manager{version: 2, bases: []base{dir}}
	}
	for _, h := range all {
		dir := filepath.Join(h.mount, h.own)
		if h.version == 1 && unix.Access(dir, unix.W_OK) == nil {
			m.version, m.bases = 1, append(m.bases, base{dir, h.controllers})
		}
	}
	if len(m.bases) == 0 && m.why == "" {
		m.why = "no control groups are mounted that this user may write to"
	}
	return m
}

func prepare2(h hierarchy) (base, error) {
	dir, err := base2(h)
	if err != nil {
		return base{}, err
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return base{}, err
	}
	if parent := filepath.Dir(dir); filepath.Base(dir) == "banger" {
		if _, err := enable2(parent); err != nil {
			return base{}, errors.Join(err, os.Remove(dir))
		}
	}
	have, err := enable2(dir)
	return base{dir, have}, err
}

// Version is 2, 1, or 0 when there are no groups.
func (m *Manager) Version() int { return m.version }

// Why says why there are none, or which limits are missing; "" when all are
// there.
func (m *Manager) Why() string {
	if m.version == 0 {
		return m.why
	}
	var missing []string
	for _, c := range controllers {
		if !slices.ContainsFunc(m.bases, func(b base) bool { return slices.Contains(b.controllers, c) }) {
			missing = append(missing, c)
		}
	}
	if len(missing) == 0 {
		return ""
	}
	return "no controller for " + strings.Join(missing, ", ")
}

// Dirs returns the directories of the group of that id, whether it was made
// or not. A process joins it by its number in each one's cgroup.procs.
func (m *Manager) Dirs(id string) []string {
	dirs := make([]string, len(m.bases))
	for i, b := range m.bases {
		dirs[i] = filepath.Join(b.dir, prefix+id)
	}
	return dirs
}

// Make makes the group of that id, or sets the limits of the one there is. On
// error nothing is left.
func (m *Manager) Make(ctx context.Context, id string, l Limits) error {
	settings := settings1(l)
	if m.version == 2 {
		settings = settings2(l)
	}
	for i, dir := range m.Dirs(id) {
		if err := makeGroup(dir, m.bases[i].controllers, settings); err != nil {
			return errors.Join(fmt.Errorf("making control group %s: %w", dir, err), m.Remove(ctx, id))
		}
	}
	return nil
}

func makeGroup(dir string, controllers []string, settings []setting) error {
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	for _, s := range settings {
		if !slices.Contains(controllers, s.controller) {
			continue
		}
		f, err := os.OpenFile(filepath.Join(dir, s.file), os.O_WRONLY, 0)
		if errors.Is(err, os.ErrNotExist) && s.optional {
			continue
		}
		if err == nil {
			_, err = f.WriteString(s.value)
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			return fmt.Errorf("setting %s to %s: %w", s.file, s.value, err)
		}
	}
	return nil
}

// Remove removes the group of that id, whose VM's process has ended: it may
// take a moment until the kernel has seen that too. What else that process has
// left in the group is killed where the kernel can do so (cgroup.kill, version
// 2, Linux 5.14). A group that is not there is no error.
func (m *Manager) Remove(ctx context.Context, id string) error {
	var errs []error
	for _, dir := range m.Dirs(id) {
		errs = append(errs, removeGroup(ctx, dir))
	}
	return errors.Join(errs...)
}

func removeGroup(ctx context.Context, dir string) error {
	for try := 0; ; try++ {
		err := unix.Rmdir(dir)
		switch {
		case err == nil || errors.Is(err, unix.ENOENT):
			return nil
		case !errors.Is(err, unix.EBUSY):
			return &os.PathError{Op: "rmdir", Path: dir, Err: err}
		}
		if try == 1 { // version 1 has no such file
			killGroup(dir)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("removing control group %s: %w", dir, err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// killGroup kills what is in a group, if the kernel can.
func killGroup(dir string) {
	f, err := os.OpenFile(filepath.Join(dir, "cgroup.kill"), os.O_WRONLY, 0)
	if err != nil {
		return
	}
	_, _ = f.WriteString("1") // what is left then is seen by who removes it
	_ = f.Close()
}

// IDs returns the ids of the groups that there are.
func (m *Manager) IDs() []string {
	var ids []string
	for _, b := range m.bases {
		entries, err := os.ReadDir(b.dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if id, ours := strings.CutPrefix(e.Name(), prefix); ours && e.IsDir() && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// Join puts a process into the group whose directories those are.
func Join(dirs []string, pid int) error {
	var errs []error
	for _, dir := range dirs {
		errs = append(errs, os.WriteFile(filepath.Join(dir, "cgroup.procs"), fmt.Append(nil, pid), 0))
	}
	return errors.Join(errs...)
}
