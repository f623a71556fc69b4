package imagemgr

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"banger/internal/model"
)

// maxModuleFiles bounds a modules directory: distribution kernels have about
// 7,000 files.
const maxModuleFiles = 100_000

// StageBootArtifacts puts a boot set given by paths beside the root
// filesystem that is staged, and returns the paths that it will have once it
// is published. The files are cloned, not linked: they are the user's, who
// may write to them again.
func StageBootArtifacts(ctx context.Context, s Staging, boot model.BootFiles) (model.BootFiles, error) {
	var staged model.BootFiles
	var err error
	if staged.Kernel, err = StageOptionalArtifactPath(s, boot.Kernel, model.VmlinuxFile); err != nil {
		return staged, fmt.Errorf("staging the kernel: %w", err)
	}
	if staged.Initrd, err = StageOptionalArtifactPath(s, boot.Initrd, model.InitrdFile); err != nil {
		return staged, fmt.Errorf("staging the initrd: %w", err)
	}
	if boot.Modules == "" {
		return staged, nil
	}
	staged.Modules = s.FinalPath(model.ModulesDir)
	if err := cloneModules(ctx, boot.Modules, s.Path(model.ModulesDir)); err != nil {
		return staged, fmt.Errorf("staging the modules: %w", err)
	}
	return staged, nil
}

// StageOptionalArtifactPath clones src into the staging directory as name and
// returns the path that it will have once it is published; "" for no src.
func StageOptionalArtifactPath(s Staging, src, name string) (string, error) {
	if src == "" {
		return "", nil
	}
	if err := Clone(src, s.Path(name)); err != nil {
		return "", err
	}
	return s.FinalPath(name), nil
}

// cloneModules clones the directories and regular files of a
// lib/modules/<release> tree. Links are left out: a release has only "build"
// and "source", which point at the host's kernel sources.
func cloneModules(ctx context.Context, src, dst string) error {
	files := 0
	return filepath.WalkDir(src, func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(src, path)
		if err != nil {
			return err
		}
		if files++; files > maxModuleFiles {
			return model.Errorf(model.CodeLimit, "%s has more than %d files", src, maxModuleFiles)
		}
		switch {
		case d.IsDir() || path == src:
			return os.Mkdir(filepath.Join(dst, rel), 0o700)
		case d.Type().IsRegular():
			return Clone(path, filepath.Join(dst, rel))
		}
		return nil
	})
}
