package imagemgr

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"banger/internal/model"
)

// Where formats keep their signatures.
const (
	bzImageMagicOffset = 0x202     // Documentation/arch/x86/boot.rst: "HdrS"
	arm64MagicOffset   = 56        // Documentation/arch/arm64/booting.rst: "ARM\x64"
	ext4MagicOffset    = 1024 + 56 // fs/ext4/ext4.h: s_magic, little endian
)

// ValidateKernelPaths checks a kernel given by paths: the kernel is there and
// is an ELF vmlinux, a bzImage or an arm64 Image; initrd and modules, when
// given, are a file and a directory. Paths must be absolute, since the daemon
// does not share its caller's working directory.
func ValidateKernelPaths(boot model.BootFiles) error {
	if boot.Kernel == "" {
		return model.Errorf(model.CodeInvalid, "a boot set has no kernel").
			WithHint("give the kernel's path too, or name a catalog kernel")
	}
	if err := checkFile("kernel", boot.Kernel, isKernel, "neither an ELF vmlinux, a bzImage nor an arm64 Image"); err != nil {
		return err
	}
	if boot.Initrd != "" {
		if err := checkFile("initrd", boot.Initrd, notEmpty, "empty"); err != nil {
			return err
		}
	}
	if boot.Modules != "" {
		return checkDir("modules directory", boot.Modules)
	}
	return nil
}

// ValidateRegisterPaths checks an existing root filesystem, which must be an
// ext2, ext3 or ext4 image, and the boot set, which may be empty.
func ValidateRegisterPaths(rootfs string, boot model.BootFiles) error {
	if err := checkFile("root filesystem", rootfs, isExt4, "not an ext4 image"); err != nil {
		return err
	}
	if boot == (model.BootFiles{}) {
		return nil
	}
	return ValidateKernelPaths(boot)
}

// checkFile checks that path is absolute and a regular file whose head is ok.
func checkFile(what, path string, ok func(head []byte) bool, wrong string) error {
	info, err := stat(what, path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return model.Errorf(model.CodeInvalid, "%s %q is not a regular file", what, path)
	}
	head, err := readHead(path)
	if err != nil {
		return model.Errorf(model.CodeInvalid, "reading %s: %w", what, err)
	}
	if !ok(head) {
		return model.Errorf(model.CodeInvalid, "%s %q is %s", what, path, wrong)
	}
	return nil
}

func checkDir(what, path string) error {
	info, err := stat(what, path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return model.Errorf(model.CodeInvalid, "%s %q is not a directory", what, path)
	}
	return nil
}

func stat(what, path string) (fs.FileInfo, error) {
	if !filepath.IsAbs(path) {
		return nil, model.Errorf(model.CodeInvalid, "path %q of the %s is not absolute", path, what)
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, model.Errorf(model.CodeNotFound, "%s %q does not exist", what, path)
	}
	if err != nil {
		return nil, model.Errorf(model.CodeInvalid, "looking at %s: %w", what, err)
	}
	return info, nil
}

// readHead returns the first bytes of a file, enough for every signature.
func readHead(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head, err := io.ReadAll(io.LimitReader(f, ext4MagicOffset+2))
	if err != nil {
		return nil, err
	}
	return head, nil
}

func isKernel(head []byte) bool {
	return hasAt(head, 0, "\x7fELF") || hasAt(head, bzImageMagicOffset, "HdrS") || hasAt(head, arm64MagicOffset, "ARM\x64")
}

func isExt4(head []byte) bool { return hasAt(head, ext4MagicOffset, "\x53\xef") }

func notEmpty(head []byte) bool { return len(head) > 0 }

func hasAt(head []byte, offset int, magic string) bool {
	return len(head) >= offset && bytes.HasPrefix(head[offset:], []byte(magic))
}
