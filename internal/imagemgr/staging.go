package imagemgr

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"banger/internal/model"
)

// Staging is a directory that is being filled. Its name ends in
// model.StagingExt until Publish renames it, so that a crash leaves nothing
// that could be taken for a whole one.
type Staging struct {
	Dir   string // where files are made
	Final string // where Publish puts them
}

// NewStaging makes an empty staging directory for the object id below parent,
// which is made too.
func NewStaging(parent, id string) (Staging, error) {
	s := Existing(parent, id)
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return s, fmt.Errorf("making %s: %w", parent, err)
	}
	if err := os.Mkdir(s.Dir, 0o700); err != nil {
		return s, fmt.Errorf("making the staging directory: %w", err)
	}
	return s, nil
}

// Existing returns the staging directory of an object that is published, to
// retire or remove it.
func Existing(parent, id string) Staging {
	return Staging{Dir: filepath.Join(parent, id+model.StagingExt), Final: filepath.Join(parent, id)}
}

// Path returns the path of name while it is staged.
func (s Staging) Path(name string) string { return filepath.Join(s.Dir, name) }

// FinalPath returns the path that name will have once it is published.
func (s Staging) FinalPath(name string) string { return filepath.Join(s.Final, name) }

// Publish makes the staged files durable and gives them their final name in
// one step: files, then directories bottom up, then the rename, then the
// parent. An existing final directory is an error.
func (s Staging) Publish() error {
	if _, err := os.Lstat(s.Final); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("publishing %s: %w", s.Final, fs.ErrExist)
	}
	if err := SyncTree(s.Dir); err != nil {
		return fmt.Errorf("publishing %s: %w", s.Final, err)
	}
	if err := os.Rename(s.Dir, s.Final); err != nil {
		return fmt.Errorf("publishing: %w", err)
	}
	return SyncDir(filepath.Dir(s.Final))
}

// Abort removes what is staged. After Publish it does nothing.
func (s Staging) Abort() error { return os.RemoveAll(s.Dir) }

// Retire makes what was published a staging directory again, durably, so that
// a crash while it is removed leaves what Sweep removes and never half an
// object. Something that was not published is fine.
func (s Staging) Retire() error {
	if err := os.Rename(s.Final, s.Dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("retiring: %w", err)
	}
	return SyncDir(filepath.Dir(s.Final))
}

// Remove takes away what is staged or published.
func (s Staging) Remove() error {
	if err := s.Retire(); err != nil {
		return err
	}
	return s.Abort()
}

// Sweep removes every staging directory below parent and returns their paths.
func Sweep(parent string) (swept []string, err error) {
	entries, err := os.ReadDir(parent)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("sweeping: %w", err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), model.StagingExt) {
			continue
		}
		path := filepath.Join(parent, e.Name())
		if err := os.RemoveAll(path); err != nil {
			return swept, fmt.Errorf("sweeping: %w", err)
		}
		swept = append(swept, path)
	}
	return swept, nil
}

// SyncTree makes root and all below it durable, contents before the
// directories that name them.
func SyncTree(root string) error {
	entries, err := os.ReadDir(root)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(root, e.Name())
		switch {
		case e.IsDir():
			err = SyncTree(path)
		case e.Type().IsRegular():
			err = syncPath(path)
		}
		if err != nil {
			return err
		}
	}
	return SyncDir(root)
}

// SyncDir makes the names in a directory durable.
func SyncDir(dir string) error { return syncPath(dir) }

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
