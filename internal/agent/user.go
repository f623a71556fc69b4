package agent

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	maxUserDB = 4 << 20 // bytes read of /etc/passwd and of /etc/group
	maxID     = 1<<32 - 2
	maxGroups = 65536 // NGROUPS_MAX
)

// account is whom a process runs as.
type account struct {
	uid, gid uint32
	groups   []uint32
	name     string // "" when the image has no name for uid
	home     string
}

// lookupAccount resolves a user as an OCI image names it: "", name or uid,
// each with an optional :group or :gid, against passwd(5) and group(5) below
// root. "" is root. A uid need not be listed; it then has the group 0 and the
// home "/". Without a group given, those that list the user are added. The
// first group is among the supplementary ones too: a program could drop it
// otherwise, and gain what the group is denied (CVE-2022-36109).
func lookupAccount(root, spec string) (account, error) {
	user, group, hasGroup := strings.Cut(spec, ":")
	a := account{home: "/"}
	if err := a.setUser(root, user); err != nil {
		return account{}, err
	}
	if hasGroup && group != "" {
		err := a.setGroup(root, group)
		a.groups = []uint32{a.gid}
		return a, err
	}
	a.groups = []uint32{a.gid}
	if a.name == "" {
		return a, nil
	}
	return a, a.addGroups(root)
}

// addGroups adds the groups that list the user.
func (a *account) addGroups(root string) error {
	return eachLine(root+"/etc/group", func(f []string) bool {
		gid, err := parseID(field(f, 2))
		if err == nil && !slices.Contains(a.groups, gid) && slices.Contains(strings.Split(field(f, 3), ","), a.name) {
			a.groups = append(a.groups, gid)
		}
		return len(a.groups) < maxGroups
	})
}

// setUser finds user, a name or a number, in the image's passwd.
func (a *account) setUser(root, user string) error {
	if user == "" {
		user = "0"
	}
	uid, numErr := parseID(user)
	if errors.Is(numErr, strconv.ErrRange) {
		return fmt.Errorf("user %s is over %d", user, uint32(maxID))
	}
	found := false
	err := eachLine(root+"/etc/passwd", func(f []string) bool {
		id, err := parseID(field(f, 2))
		gid, gidErr := parseID(field(f, 3))
		if err != nil || gidErr != nil || (numErr == nil && id != uid) || (numErr != nil && f[0] != user) {
			return true
		}
		found = true
		a.uid, a.gid, a.name = id, gid, f[0]
		if home := field(f, 5); strings.HasPrefix(home, "/") {
			a.home = home
		}
		return false
	})
	switch {
	case err != nil || found:
		return err
	case numErr != nil:
		return fmt.Errorf("user %q is not in the image's /etc/passwd", user)
	}
	a.uid = uid
	return nil
}

// setGroup finds group, a name or a number, in the image's group file.
func (a *account) setGroup(root, group string) error {
	gid, err := parseID(group)
	if err == nil {
		a.gid = gid
		return nil
	}
	if errors.Is(err, strconv.ErrRange) {
		return fmt.Errorf("group %s is over %d", group, uint32(maxID))
	}
	found := false
	err = eachLine(root+"/etc/group", func(f []string) bool {
		id, err := parseID(field(f, 2))
		if err != nil || f[0] != group {
			return true
		}
		found, a.gid = true, id
		return false
	})
	if err == nil && !found {
		err = fmt.Errorf("group %q is not in the image's /etc/group", group)
	}
	return err
}

// parseID reads a uid or gid. ErrRange: it is a number, but no id; 2^32-1 is
// none, since chown(2) and setresuid(2) take it for "leave as it is".
func parseID(s string) (uint32, error) {
	id, err := strconv.ParseUint(s, 10, 32)
	if err == nil && id > maxID {
		err = strconv.ErrRange
	}
	return uint32(id), err
}

func field(f []string, i int) string {
	if i < len(f) {
		return f[i]
	}
	return ""
}

// eachLine calls use with the fields of each line until it returns false. A
// file that is missing is empty; one that is no regular file is an error.
func eachLine(path string, use func(fields []string) bool) error {
	f, err := openRegular(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewScanner(io.LimitReader(f, maxUserDB))
	lines.Buffer(nil, maxUserDB)
	for lines.Scan() {
		if fields := strings.Split(lines.Text(), ":"); fields[0] != "" && !use(fields) {
			break
		}
	}
	return lines.Err()
}

// openRegular opens a file of the image, which may have put a device or a
// pipe in its place.
func openRegular(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is not a regular file", path)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}
