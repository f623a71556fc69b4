package run

import (
	"errors"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
)

// adminDirs hold programs like e2fsck, which ordinary users may run but which
// their PATH does not name on Debian.
var adminDirs = []string{"/usr/local/sbin", "/usr/sbin", "/sbin"}

// LookPath finds a program in PATH, else where administrators' programs are. A
// name with a slash is a path. What is not there matches exec.ErrNotFound.
func LookPath(name string) (string, error) {
	path, err := exec.LookPath(name)
	if errors.Is(err, exec.ErrNotFound) && !strings.Contains(name, "/") {
		for _, dir := range adminDirs {
			if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
				return path, nil
			}
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return "", &exec.Error{Name: name, Err: exec.ErrNotFound}
	}
	return path, err
}
