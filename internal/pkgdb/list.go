package pkgdb

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"banger/internal/ext4"
	"banger/internal/model"
)

// Where package managers keep what they know: dpkg(1), deb822(5); apk(8),
// "installed database". Distroless images have one file a package.
const (
	dpkgStatus  = "/var/lib/dpkg/status"
	dpkgStatusD = "/var/lib/dpkg/status.d"
	apkDB       = "/lib/apk/db/installed"
	apkDBNew    = "/usr/lib/apk/db/installed"
)

// Bounds of what an image may claim.
const (
	maxDatabase = 128 << 20 // bytes of one file
	maxLine     = 1 << 20
	maxPackages = 100_000
	maxField    = 256 // bytes of a name, a version or an architecture
)

// List returns the installed packages by name. An image without a package
// manager that is known has none. A database of rpm that is none of SQLite is
// model.CodeUnsupported; the packages of others are returned beside it.
func List(ctx context.Context, fsys *ext4.FS) ([]model.Package, error) {
	l := &lister{fsys: fsys}
	var unread error
	for _, read := range []func() error{
		func() error { return l.file(dpkgStatus, dpkg) },
		l.distroless,
		func() error { return l.file(apkDB, apk) },
		func() error { return l.file(apkDBNew, apk) },
		func() error { return l.rpm(ctx) },
	} {
		switch err := read(); {
		case err == nil, errors.Is(err, fs.ErrNotExist):
		case model.CodeOf(err) == model.CodeUnsupported:
			unread = err
		default:
			return nil, err
		}
	}
	slices.SortStableFunc(l.found, func(a, b model.Package) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Arch, b.Arch))
	})
	return slices.Compact(l.found), unread
}

// lister collects packages of one filesystem.
type lister struct {
	fsys  *ext4.FS
	found []model.Package
}

func (l *lister) distroless() error {
	entries, err := l.fsys.ReadDir(dpkgStatusD)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name, ".md5sums") || e.Name == "." || e.Name == ".." {
			continue
		}
		if err := l.file(path.Join(dpkgStatusD, e.Name), dpkg); err != nil {
			return err
		}
	}
	return nil
}

func (l *lister) file(name string, f format) error {
	r, err := l.fsys.OpenFile(name)
	if err != nil {
		return err
	}
	if err := l.read(r, f); err != nil {
		return model.Errorf(model.CodeIntegrity, "reading %s of the image: %w", name, err)
	}
	return nil
}

// format is how a database has its fields: KEY, a separator, the value; an
// empty line ends a package.
type format struct {
	manager             string
	separator           string
	name, version, arch string
	// status, where there is one, ends in this word for what is installed.
	status, installed string
}

// none is no key of a line.
const none = "\n"

//nolint:gochecknoglobals // tables
var (
	dpkg = format{
		manager: "dpkg", separator: ":", name: "Package", version: "Version", arch: "Architecture",
		status: "Status", installed: "installed",
	}
	apk = format{manager: "apk", separator: ":", name: "P", version: "V", arch: "A", status: none}
)

// read adds the packages of one database.
func (l *lister) read(r io.Reader, f format) error {
	lines := bufio.NewScanner(io.LimitReader(r, maxDatabase))
	lines.Buffer(make([]byte, 64<<10), maxLine)
	pkg, installed := model.Package{Manager: f.manager}, true
	end := func() error {
		if pkg.Name != "" && installed {
			l.found = append(l.found, pkg)
		}
		pkg, installed = model.Package{Manager: f.manager}, true
		if len(l.found) > maxPackages {
			return fmt.Errorf("more than %d packages", maxPackages)
		}
		return nil
	}
	for lines.Scan() {
		line := lines.Text()
		if line == "" {
			if err := end(); err != nil {
				return err
			}
			continue
		}
		key, value, _ := strings.Cut(line, f.separator)
		value = strings.TrimSpace(value)
		switch key {
		case f.name:
			pkg.Name = field(value)
		case f.version:
			pkg.Version = field(value)
		case f.arch:
			pkg.Arch = field(value)
		case f.status:
			installed = value == f.installed || strings.HasSuffix(value, " "+f.installed)
		}
	}
	return errors.Join(lines.Err(), end())
}

// field makes a value fit to be shown.
func field(value string) string {
	value = model.Printable(value)
	return value[:min(len(value), maxField)]
}
