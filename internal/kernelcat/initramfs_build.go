package kernelcat

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"banger/internal/kernelcat/cpio"
	"banger/internal/kernelcat/kmod"
	"banger/internal/model"

	"github.com/google/renameio/v2"
)

// initramfsFormat is raised when the same inputs give another file.
const initramfsFormat = 2

// pageSize is what the length of an initial file system is a multiple of.
// QEMU's microvm puts the file at the highest page that it fits behind, which
// leaves the last page of memory free when the file is whole pages, and only
// then. SeaBIOS 1.16.3 and newer keep the ACPI tables there: a file that
// reaches into that page overwrites them, and the guest finds no device.
const pageSize = 4096

// Names inside the initial file system that the agent knows.
const (
	initName    = "init"
	modulesName = "modules"      // directory of the *.ko files
	listName    = "modules.list" // one absolute path a line, in load order
)

// build writes the file at path, whole or not at all.
func (i initramfs) build(path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := renameio.NewPendingFile(path, renameio.WithTempDir(dir), renameio.WithPermissions(0o600))
	if err != nil {
		return err
	}
	defer f.Cleanup() //nolint:errcheck // nothing is left after the replace
	w := bufio.NewWriterSize(f, 1<<20)
	if err := errors.Join(i.writeForeign(w), i.write(w), w.Flush(), fillPage(f.File)); err != nil {
		return err
	}
	return f.CloseAtomicallyReplace()
}

// fillPage ends a file with zeros, which the kernel skips.
func fillPage(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return f.Truncate((info.Size() + pageSize - 1) / pageSize * pageSize)
}

// writeForeign lays a foreign initrd below ours: the kernel unpacks one after
// the other, and later files win. Each must begin at a multiple of 4 bytes.
func (i initramfs) writeForeign(w io.Writer) error {
	if i.initrd == "" {
		return nil
	}
	f, err := openRegular(i.initrd)
	if err != nil {
		return err
	}
	defer f.Close()
	n, err := io.Copy(w, f)
	if err != nil {
		return fmt.Errorf("copying %s: %w", i.initrd, err)
	}
	_, err = w.Write(make([]byte, (4-n%4)%4))
	return err
}

func (i initramfs) write(w io.Writer) error {
	c := cpio.NewWriter(w)
	for _, dir := range []string{"dev", "proc", "sys", "run", "newroot", modulesName} {
		if err := c.Dir(dir, 0o755); err != nil {
			return err
		}
	}
	if err := errors.Join(c.CharDevice("dev/console", 0o600, 5, 1), i.writeAgent(c), i.writeModules(c)); err != nil {
		return err
	}
	return c.Close()
}

func (i initramfs) writeAgent(c *cpio.Writer) error {
	f, err := os.Open(i.agent)
	if err != nil {
		return fmt.Errorf("reading the guest agent: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("reading the guest agent: %w", err)
	}
	h := sha256.New()
	if err := c.File(initName, 0o755, info.Size(), io.TeeReader(f, h)); err != nil {
		return err
	}
	if hex.EncodeToString(h.Sum(nil)) != i.agentDigest {
		return model.Errorf(model.CodeConflict, "the guest agent %s changed while it was read", i.agent).
			WithHint("try again")
	}
	return nil
}

// writeModules writes the modules uncompressed, since not every kernel can
// unpack them itself, and the list of them.
func (i initramfs) writeModules(c *cpio.Writer) error {
	var list strings.Builder
	if len(i.modules) > 0 {
		tree, err := kmod.OpenTree(i.modulesDir)
		if err != nil {
			return err
		}
		defer tree.Close()
		for _, m := range i.modules {
			name := modulesName + "/" + m.Name + ".ko"
			if err := writeModule(c, tree, m, name); err != nil {
				return err
			}
			list.WriteString("/" + name + "\n")
		}
	}
	return c.File(listName, 0o644, int64(list.Len()), strings.NewReader(list.String()))
}

func writeModule(c *cpio.Writer, tree *kmod.Tree, m kmod.Module, name string) error {
	ko, err := tree.Read(m.Path)
	if err != nil {
		return err
	}
	if sum := kmod.Digest(ko); sum != m.Digest {
		return model.Errorf(model.CodeIntegrity, "module %s has changed since the kernel was made", m.Path)
	}
	return c.File(name, 0o644, int64(len(ko)), bytes.NewReader(ko))
}
