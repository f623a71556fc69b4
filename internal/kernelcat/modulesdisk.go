package kernelcat

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"

	"banger/internal/ext4"
	"banger/internal/kernelcat/kmod"
	"banger/internal/model"
)

// modulesDiskFormat is raised when the same modules give another disk.
const modulesDiskFormat = 1

// modulesDiskExt ends the names of whole modules disks, which are kept beside
// the initial file systems.
const modulesDiskExt = ".ext4"

// ModulesDisk returns the path of an ext4 file system with what belongs in
// lib/modules/<release>: the modules of k, uncompressed, and what depmod(8)
// would have written about them as text. It is made when there is none; "" when
// the kernel has no modules.
//
//	have    Cache/initramfs/<key>.ext4 is there: returned at once
//	lock    one build of a key
//	build   temporary file, sync, rename
func (s *Service) ModulesDisk(ctx context.Context, k model.Kernel) (string, error) {
	if !k.Modules {
		return "", nil
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "modules %d\n%s\n%s\n", modulesDiskFormat, k.Digest, k.Dir))
	key := hex.EncodeToString(sum[:16])
	file := filepath.Join(s.cfg.Paths.Initramfs(), key+modulesDiskExt)
	if used(file) {
		return file, nil
	}
	unlock, err := s.cfg.Operations.Lock(ctx, "initramfs/"+key)
	if err != nil {
		return "", err
	}
	defer unlock()
	if used(file) {
		return file, nil
	}
	if err := buildModulesDisk(ctx, filepath.Join(k.Dir, model.ModulesDir), file); err != nil {
		return "", fmt.Errorf("making the disk with the modules of kernel %s: %w", k.Name, err)
	}
	return file, nil
}

func buildModulesDisk(ctx context.Context, from, file string) error {
	tree, err := kmod.OpenTree(from)
	if err != nil {
		return err
	}
	defer tree.Close()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	f, err := renameio.NewPendingFile(file, renameio.WithTempDir(filepath.Dir(file)), renameio.WithPermissions(0o600))
	if err != nil {
		return err
	}
	defer f.Cleanup() //nolint:errcheck // nothing is left after the replace
	w, err := ext4.Create(f.File, ext4.Options{Label: "modules"})
	if err != nil {
		return err
	}
	d := &modulesDisk{stream: w.NewStream(), root: newDir()}
	err = d.fill(ctx, tree)
	if closed := d.stream.Close(); err == nil { // else it says the same again
		err = closed
	}
	if err != nil {
		return err
	}
	if _, err := w.Finish(ctx, d.root, ext4.FinishOptions{}); err != nil {
		return err
	}
	return f.CloseAtomicallyReplace()
}

// modulesDisk is a lib/modules/<release> that is being written.
type modulesDisk struct {
	stream *ext4.Stream
	root   *ext4.Node
	index  kmod.Index
}

func newDir() *ext4.Node {
	return &ext4.Node{Mode: unix.S_IFDIR | 0o755, Children: map[string]*ext4.Node{}}
}

func (d *modulesDisk) fill(ctx context.Context, tree *kmod.Tree) error {
	for _, at := range tree.Paths() {
		if err := ctx.Err(); err != nil {
			return err
		}
		ko, err := tree.Read(at)
		if err != nil {
			return err
		}
		plain, err := d.index.Add(at, ko)
		if err != nil {
			return fmt.Errorf("reading module %s: %w", at, err)
		}
		if err := d.add(plain, ko); err != nil {
			return err
		}
	}
	for name, text := range d.index.Files() {
		if err := d.add(name, text); err != nil {
			return err
		}
	}
	return d.addLists(tree)
}

// addLists copies what the kernel's own build says of modules, where the
// package has it.
func (d *modulesDisk) addLists(tree *kmod.Tree) error {
	for _, name := range []string{"modules.builtin", "modules.builtin.modinfo", "modules.order"} {
		text, err := tree.ReadList(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := errors.Join(err, d.add(name, text)); err != nil {
			return err
		}
	}
	return nil
}

// add writes a file, and the directories above it.
func (d *modulesDisk) add(name string, body []byte) error {
	dir := d.root
	for part := range strings.SplitSeq(path.Dir(name), "/") {
		if part == "." {
			continue
		}
		if dir.Children[part] == nil {
			dir.Children[part] = newDir()
		}
		dir = dir.Children[part]
	}
	written, err := d.stream.WriteBody(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	dir.Children[path.Base(name)] = &ext4.Node{Mode: unix.S_IFREG | 0o644, Body: written}
	return nil
}
