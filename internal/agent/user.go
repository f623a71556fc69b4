package agent

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// account is who a process runs as.
type account struct {
	name     string
	uid, gid uint32
	groups   []uint32
	home     string
}

const (
	passwdPath = "/etc/passwd"
	groupPath  = "/etc/group"
	// maxAccounts bounds how much of a user database is read.
	maxAccounts = 8 << 20
)

// maxID is the largest user or group id: (uid_t)-1 means "no change" to the
// kernel (chown(2), setresuid(2)) and must never be taken for one.
const maxID = 1<<32 - 2

// lookupAccount resolves a user in the form of OCI's config.User: "", user,
// uid, user:group, uid:gid, uid:group, user:gid. A uid that the image does
// not know runs with group 0, as docker has it. The group is among the
// supplementary ones too: else a program could drop it and gain by that what
// the group is denied (CVE-2022-36109).
func lookupAccount(user string) (account, error) {
	name, group, hasGroup := strings.Cut(user, ":")
	if name == "" {
		name = "0"
	}
	a, err := lookupUser(name)
	if err != nil {
		return a, err
	}
	if hasGroup && group != "" {
		if a.gid, err = lookupGroup(group); err != nil {
			return a, err
		}
		a.groups = []uint32{a.gid}
		return a, nil
	}
	groups, err := supplementary(a.name)
	a.groups = append([]uint32{a.gid}, slices.DeleteFunc(groups, func(g uint32) bool { return g == a.gid })...)
	return a, err
}

func lookupUser(name string) (account, error) {
	id, numeric, err := parseID(name)
	if err != nil {
		return account{}, fmt.Errorf("user %q: %w", name, err)
	}
	found := account{home: "/"}
	err = eachRecord(passwdPath, 7, func(f []string) bool {
		uid, _, uidErr := parseID(f[2])
		gid, _, gidErr := parseID(f[3])
		if uidErr != nil || gidErr != nil || !(f[0] == name || numeric && uid == id) {
			return true
		}
		found = account{name: f[0], uid: uid, gid: gid, home: f[5]}
		return false
	})
	switch {
	case err != nil:
		return account{}, err
	case found.name != "":
		return found, nil
	case !numeric:
		return account{}, fmt.Errorf("the image has no user %q", name)
	case id == 0:
		return account{name: "root", home: "/root"}, nil
	}
	found.uid = id
	return found, nil
}

func lookupGroup(name string) (uint32, error) {
	id, numeric, err := parseID(name)
	if err != nil {
		return 0, fmt.Errorf("group %q: %w", name, err)
	}
	if numeric {
		return id, nil
	}
	found := false
	err = eachRecord(groupPath, 4, func(f []string) bool {
		if f[0] != name {
			return true
		}
		id, found, err = parseID(f[2])
		return false
	})
	if err == nil && !found {
		err = fmt.Errorf("the image has no group %q", name)
	}
	return id, err
}

// supplementary returns the groups that list a user as a member.
func supplementary(user string) ([]uint32, error) {
	var groups []uint32
	if user == "" {
		return nil, nil
	}
	err := eachRecord(groupPath, 4, func(f []string) bool {
		for member := range strings.SplitSeq(f[3], ",") {
			if member == user {
				if gid, ok, err := parseID(f[2]); ok && err == nil {
					groups = append(groups, gid)
				}
			}
		}
		return len(groups) < 1024
	})
	return groups, err
}

// parseID reads a decimal id. numeric is false for a name.
func parseID(s string) (id uint32, numeric bool, err error) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		if strings.HasPrefix(s, "-") && strings.Trim(s[1:], "0123456789") == "" && len(s) > 1 {
			return 0, false, errors.New("an id is not negative")
		}
		return 0, false, nil
	}
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil || v > maxID {
		return 0, true, fmt.Errorf("ids go up to %d", uint32(maxID))
	}
	return uint32(v), true, nil
}

// eachRecord calls visit with the fields of each line until it returns false.
// A file that is missing has no records.
func eachRecord(path string, fields int, visit func([]string) bool) error {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO must not block
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(io.LimitReader(f, maxAccounts))
	lines.Buffer(nil, 256<<10)
	for lines.Scan() {
		if rec := strings.Split(lines.Text(), ":"); len(rec) >= fields && !visit(rec) {
			return nil
		}
	}
	return lines.Err()
}
