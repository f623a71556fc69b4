package image

import (
	"archive/tar"
	"bufio"
	"context"
	"io"
	"strconv"
	"strings"

	"banger/internal/imagetree"
	"banger/internal/model"
)

// ownership is what --chown and --chmod say, or USER of a WORKDIR.
type ownership struct {
	owned    bool
	uid, gid int
	moded    bool
	mode     int64
}

// ownership looks names up in the files of the stage.
func (st *dockerStage) ownership(ctx context.Context, owner, mode string) (ownership, error) {
	if owner == "" {
		return newOwnership(nil, "", mode)
	}
	tree, err := st.openTree(ctx)
	if err != nil {
		return ownership{}, err
	}
	if tree != nil {
		defer tree.Close()
	}
	return newOwnership(tree, owner, mode)
}

// newOwnership reads an octal mode and USER[:GROUP], which are names in tree
// or numbers. Without GROUP it is the group that passwd(5) has for a name, and
// the same number for a number.
func newOwnership(tree *imagetree.Tree, owner, mode string) (o ownership, err error) {
	if mode != "" {
		m, err := strconv.ParseUint(mode, 8, 12)
		if err != nil {
			return o, model.Errorf(model.CodeUnsupported, "--chmod=%s: an octal mode is wanted", model.Printable(mode))
		}
		o.moded, o.mode = true, int64(m)
	}
	if owner == "" {
		return o, nil
	}
	user, group, both := strings.Cut(owner, ":")
	o.owned = true
	if user != "" || !both {
		o.uid, o.gid, err = lookupAccount(tree, "/etc/passwd", user)
	}
	if err == nil && group != "" {
		o.gid, _, err = lookupAccount(tree, "/etc/group", group)
	}
	return o, err
}

func (o ownership) apply(h *tar.Header) {
	if o.owned {
		h.Uid, h.Gid = o.uid, o.gid
	}
	if o.moded && h.Typeflag != tar.TypeSymlink {
		h.Mode = o.mode
	}
}

// maxAccounts bounds how much of /etc/passwd is read, in bytes.
const maxAccounts = 1 << 20

// lookupAccount returns the number of a user or a group, and of a user's group
// (passwd(5), group(5)). A number stands for itself, twice.
func lookupAccount(tree *imagetree.Tree, file, name string) (id, gid int, err error) {
	if n, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(n), int(n), nil
	}
	unknown := model.Errorf(model.CodeNotFound, "%s has no %q", file, name).WithHint("give numbers: UID:GID")
	if tree == nil {
		return 0, 0, unknown
	}
	at, err := resolvePath(tree, file, true)
	if err != nil {
		return 0, 0, err
	}
	r, err := tree.FS().OpenFile(at)
	if err != nil {
		return 0, 0, unknown
	}
	lines := bufio.NewScanner(io.LimitReader(r, maxAccounts))
	for lines.Scan() {
		fields := strings.Split(lines.Text(), ":")
		if len(fields) < 3 || fields[0] != name {
			continue
		}
		n, err := strconv.ParseUint(fields[2], 10, 31)
		if err != nil {
			continue
		}
		id, gid = int(n), int(n)
		if len(fields) > 3 {
			if g, err := strconv.ParseUint(fields[3], 10, 31); err == nil && strings.HasSuffix(file, "passwd") {
				gid = int(g)
			}
		}
		return id, gid, nil
	}
	return 0, 0, unknown
}
