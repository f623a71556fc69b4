package cgroup

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// controllers are the ones that limits are set with.
var controllers = [...]string{"memory", "cpu", "pids"}

// hierarchy is one mounted tree of groups.
type hierarchy struct {
	version     int      // 1 or 2
	mount       string   // where it is mounted
	own         string   // our group in it, from its root: "/", "/user.slice/..."
	controllers []string // of those above
}

// hierarchies reads which trees there are (proc_pid_mountinfo(5)) and where in
// them this process is (/proc/PID/cgroup, cgroups(7)).
func hierarchies(mountinfo, self []byte) []hierarchy {
	own := ownGroups(self)
	var found []hierarchy
	for line := range bytes.Lines(mountinfo) {
		before, after, ok := strings.Cut(strings.TrimSpace(string(line)), " - ")
		fields, types := strings.Fields(before), strings.Fields(after)
		if !ok || len(fields) < 5 || len(types) < 3 || fields[3] != "/" {
			continue
		}
		mount := unescape(fields[4])
		switch types[0] {
		case "cgroup2":
			found = append(found, hierarchy{2, mount, own[""], nil})
		case "cgroup":
			for _, c := range strings.Split(types[2], ",") {
				if path, ours := own[c]; ours && slices.Contains(controllers[:], c) {
					found = append(found, hierarchy{1, mount, path, []string{c}})
				}
			}
		}
	}
	return found
}

// ownGroups maps each controller of version 1, and "" for version 2, to our
// group.
func ownGroups(self []byte) map[string]string {
	own := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(self))
	for lines.Scan() {
		parts := strings.SplitN(lines.Text(), ":", 3)
		if len(parts) != 3 {
			continue
		}
		for _, c := range strings.Split(parts[1], ",") {
			own[c] = parts[2]
		}
	}
	return own
}

// unescape reads a path of mountinfo, in which space, tab, newline and
// backslash are octal.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// base2 finds where groups may be made in a version 2 tree: below our own
// group when it was delegated to us (systemd's Delegate=, or the root of a
// container), else, as root, in a group of banger's own below the root of the
// tree.
func base2(h hierarchy) (string, error) {
	own := filepath.Join(h.mount, h.own)
	switch {
	case delegated(own):
		return own, nil
	case os.Geteuid() == 0:
		return filepath.Join(h.mount, "banger"), nil
	}
	return "", errors.New("no control group was delegated to this user (systemd: Delegate=yes)")
}

// delegated reads systemd's mark of a group that was given away
// (systemd.exec(5), Delegate=).
func delegated(dir string) bool {
	var value [8]byte
	for _, name := range []string{"user.delegate", "trusted.delegate"} {
		if n, err := unix.Getxattr(dir, name, value[:]); err == nil && string(value[:n]) == "1" {
			return unix.Access(dir, unix.W_OK) == nil
		}
	}
	return false
}

// enable2 lets the children of a group have the controllers. A group with
// processes of its own may not (the rule of no internal processes), so ours
// move to a child first.
func enable2(base string) ([]string, error) {
	text, err := os.ReadFile(filepath.Join(base, "cgroup.controllers"))
	if err != nil {
		return nil, err
	}
	var have []string
	for _, c := range controllers {
		if slices.Contains(strings.Fields(string(text)), c) {
			have = append(have, c)
		}
	}
	if len(have) == 0 {
		return nil, fmt.Errorf("%s has none of the controllers %s", base, strings.Join(controllers[:], ", "))
	}
	control := []byte("+" + strings.Join(have, " +"))
	file := filepath.Join(base, "cgroup.subtree_control")
	err = os.WriteFile(file, control, 0)
	if errors.Is(err, unix.EBUSY) {
		if err = moveAside(base); err == nil {
			err = os.WriteFile(file, control, 0)
		}
	}
	return have, err
}

// moveAside puts the processes of a group into its child daemon.
func moveAside(base string) error {
	child := filepath.Join(base, "daemon")
	if err := os.Mkdir(child, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	text, err := os.ReadFile(filepath.Join(base, "cgroup.procs"))
	if err != nil {
		return err
	}
	for _, pid := range strings.Fields(string(text)) {
		err := os.WriteFile(filepath.Join(child, "cgroup.procs"), []byte(pid), 0)
		if err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}
	return nil
}
