package image_test

import (
	"archive/tar"
	"context"
	"debug/elf"
	"encoding/binary"
	"runtime"
	"strings"
	"testing"

	"banger/internal/model"
	"banger/internal/rpc"
)

// program is the head of an ELF file for a machine.
func program(t *testing.T, m elf.Machine) string {
	t.Helper()
	b := make([]byte, 64)
	copy(b, elf.ELFMAG)
	b[elf.EI_CLASS], b[elf.EI_DATA], b[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	binary.LittleEndian.PutUint16(b[16:], uint16(elf.ET_EXEC))
	binary.LittleEndian.PutUint16(b[18:], uint16(m))
	binary.LittleEndian.PutUint32(b[20:], uint32(elf.EV_CURRENT))
	binary.LittleEndian.PutUint16(b[52:], 64) // e_ehsize
	return string(b)
}

// TestRegisterLooksAtTheShell: programs for another CPU are refused; without a
// shell there is no command.
func TestRegisterLooksAtTheShell(t *testing.T) {
	t.Parallel()
	r := newRealRig(t, nil)
	here, other := elf.EM_X86_64, elf.EM_AARCH64
	if runtime.GOARCH == "arm64" {
		here, other = other, here
	}
	link := kind("bin", tar.TypeSymlink, "usr/bin")
	for name, c := range map[string]struct {
		members []member
		code    model.Code
		cmd     string
	}{
		"of-this-cpu":    {[]member{link, file("usr/bin/busybox", program(t, here)), kind("usr/bin/sh", tar.TypeSymlink, "busybox")}, "", "/bin/sh"},
		"of-another-cpu": {[]member{link, file("usr/bin/sh", program(t, other))}, model.CodeUnsupported, ""},
		"script":         {[]member{file("bin/sh", "#!/usr/bin/env true\n")}, "", "/bin/sh"},
		"none":           {[]member{file("app", program(t, other))}, "", ""},
		"leads-nowhere":  {[]member{kind("bin/sh", tar.TypeSymlink, "/nix/sh")}, "", ""},
		"loop":           {[]member{kind("bin/sh", tar.TypeSymlink, "sh")}, "", "/bin/sh"},
	} {
		built := r.pullTree(t, "built-"+name, c.members)
		img, err := r.RegisterImage(context.Background(), rpc.ImageRegisterParams{Name: name, Rootfs: built.RootfsPath()}, model.Discard)
		if model.CodeOf(err) != c.code || strings.Join(img.Config.Cmd, " ") != c.cmd {
			t.Errorf("%s: %v, command %q", name, err, img.Config.Cmd)
		}
	}
}
