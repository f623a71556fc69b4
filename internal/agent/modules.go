package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// loadModules loads the modules that list names, a file name in dir a line,
// in that order. Without a list there is nothing to load. A module whose
// device is not there, or that is built in, is no error.
func loadModules(list, dir string) error {
	b, err := os.ReadFile(list)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var failed []error
	for name := range strings.FieldsSeq(string(b)) {
		if err := loadModule(filepath.Join(dir, filepath.Base(name))); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

func loadModule(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	err = unix.FinitModule(int(f.Fd()), "", 0)
	if err == nil || errors.Is(err, unix.EEXIST) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return fmt.Errorf("loading module %s: %w", filepath.Base(path), err)
}
