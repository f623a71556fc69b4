package disk

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"os"
	"path"
	"strconv"
	"strings"

	"banger/internal/ext4"
)

// maxPasswd bounds in bytes what is read of an image's /etc/passwd.
const maxPasswd = 4 << 20

// Home is a user of an image, as passwd(5) has it.
type Home struct {
	Path     string // absolute and clean; "/" when the user has none
	UID, GID uint32
}

// FindHome returns the home of a user of the image in rootfs, which may be
// hostile. user is as an OCI image names it: "", name or uid, each with an
// optional group; "" is root.
func FindHome(rootfs, user string) (Home, error) {
	f, err := os.Open(rootfs)
	if err != nil {
		return Home{}, fmt.Errorf("looking for a home: %w", err)
	}
	defer f.Close()
	fs, err := ext4.Open(f)
	if err != nil {
		return Home{}, fmt.Errorf("looking for a home in %s: %w", rootfs, err)
	}
	passwd, err := readPasswd(fs)
	if err != nil {
		return Home{}, fmt.Errorf("looking for a home in %s: %w", rootfs, err)
	}
	return homeIn(passwd, user), nil
}

// readPasswd returns an image's /etc/passwd, "" when it has none.
func readPasswd(fs *ext4.FS) (string, error) {
	name, err := resolve(fs, "/etc/passwd")
	if errors.Is(err, iofs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	f, err := fs.OpenFile(name)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxPasswd))
	return string(text), err
}

// homeIn is FindHome in the text of a passwd file. A user who is not listed
// has no home.
func homeIn(passwd, user string) Home {
	user, _, _ = strings.Cut(user, ":")
	if user == "" {
		user = "0"
	}
	uid, numErr := strconv.ParseUint(user, 10, 32)
	lines := bufio.NewScanner(strings.NewReader(passwd))
	lines.Buffer(nil, maxPasswd)
	for lines.Scan() {
		f := strings.Split(lines.Text(), ":")
		if len(f) < 6 {
			continue
		}
		id, err := strconv.ParseUint(f[2], 10, 32)
		gid, gidErr := strconv.ParseUint(f[3], 10, 32)
		if err != nil || gidErr != nil || numErr == nil && id != uid || numErr != nil && f[0] != user {
			continue
		}
		h := Home{Path: "/", UID: uint32(id), GID: uint32(gid)}
		if path.IsAbs(f[5]) {
			h.Path = path.Clean(f[5])
		}
		return h
	}
	return Home{Path: "/", UID: uint32(uid)}
}
