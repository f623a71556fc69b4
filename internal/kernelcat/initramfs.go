package kernelcat

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"banger/internal/failpoint"
	"banger/internal/kernelcat/kmod"
	"banger/internal/kernelcat/vmlinux"
	"banger/internal/model"
)

// initramfsExt ends the names of whole initial file systems in the cache.
const initramfsExt = ".cpio"

// initramfs is all that the content of an initial file system depends on.
type initramfs struct {
	agent        string // path of the agent
	agentDigest  string
	modulesDir   string
	modules      []kmod.Module
	initrd       string // path of a foreign one that ours is laid over; ""
	initrdDigest string
}

// Initramfs returns the path of the initial file system that k boots with:
// the agent as /init, the modules that it loads and their order in
// /modules.list. It is made when there is none for this kernel, these modules
// and this agent; callers at the same time share one build.
//
//	plan    modules in order, from the kernel's manifest
//	agent   digest of the agent's binary
//	have    Cache/initramfs/<key>.cpio is there: returned at once
//	lock    one build of a key
//	build   temporary file, sync, rename
func (s *Service) Initramfs(ctx context.Context, k model.Kernel) (string, error) {
	m, err := readManifest(k.Dir)
	if err != nil {
		return "", err
	}
	want := initramfs{modulesDir: filepath.Join(k.Dir, model.ModulesDir), modules: m.Boot}
	if k.Initrd {
		want.initrd, want.initrdDigest = filepath.Join(k.Dir, model.InitrdFile), m.InitrdDigest
	}
	return s.cached(ctx, want)
}

// InitramfsFor does the same for a kernel that is given by paths. Modules of
// another kernel are CodeInvalid.
func (s *Service) InitramfsFor(ctx context.Context, b model.BootFiles) (string, error) {
	want := initramfs{modulesDir: b.Modules, initrd: b.Initrd}
	if b.Modules != "" {
		image, err := readKernel(b.Kernel)
		if err != nil {
			return "", err
		}
		release := vmlinux.Release(image)
		if release == "" {
			return "", model.Errorf(model.CodeInvalid, "%s does not say which kernel it is", b.Kernel)
		}
		if want.modules, err = planModules(b.Modules, release); err != nil {
			return "", err
		}
	}
	if b.Initrd != "" {
		digest, err := fileDigest(b.Initrd)
		if err != nil {
			return "", pathError(err)
		}
		want.initrdDigest = digest
	}
	return s.cached(ctx, want)
}

// cached returns the file for want, which is built when it is not there.
func (s *Service) cached(ctx context.Context, want initramfs) (string, error) {
	digest, err := s.agent.of(s.cfg.AgentPath)
	if err != nil {
		return "", err
	}
	want.agent, want.agentDigest = s.cfg.AgentPath, digest
	path := filepath.Join(s.cfg.Paths.Initramfs(), want.key()+initramfsExt)
	if used(path) {
		return path, nil
	}
	unlock, err := s.cfg.Operations.Lock(ctx, "initramfs/"+want.key())
	if err != nil {
		return "", err
	}
	defer unlock()
	if used(path) {
		return path, nil
	}
	if err := failpoint.Hit(ctx, "initramfs/locked"); err != nil {
		return "", err
	}
	if err := want.build(path); err != nil {
		return "", fmt.Errorf("building the initial file system: %w", err)
	}
	if err := failpoint.Hit(ctx, "initramfs/built"); err != nil {
		return "", err
	}
	return path, nil
}

// used tells whether path is there, and marks it as in use for sweepInitramfs.
func used(path string) bool {
	now := time.Now()
	err := os.Chtimes(path, now, now)
	return err == nil || !errors.Is(err, fs.ErrNotExist) && exists(path)
}

// key names the content: whatever changes it changes the key.
func (i initramfs) key() string {
	h := sha256.New()
	_, _ = fmt.Fprintf(h, "format %d\nagent %s\ninitrd %s\n", initramfsFormat, i.agentDigest, i.initrdDigest)
	for _, m := range i.modules {
		_, _ = fmt.Fprintf(h, "module %s %s\n", m.Name, m.Digest)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
