package e2e

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
)

// TestKernelThatHalts: a guest that never answers is given up at the deadline,
// and the user sees the last that it wrote to its console.
func TestKernelThatHalts(t *testing.T) {
	w := needWorld(t)
	t.Parallel()
	h := freshHome(t)
	h.env = append(h.env, "BANGER_BOOT_TIMEOUT=5s")
	file := filepath.Join(t.TempDir(), "vmlinux")
	if err := os.WriteFile(file, haltingKernel("so far and no further\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h.ok(t, "kernel", "import", "--kernel-path", file, "halts")
	h.ok(t, "image", "pull", w.registry.ref("distroless"), "--name", "distroless", "--kernel", "halts")
	before := h.atRest(t)
	failure{"", []string{"run", "--rm", "--name", "stuck", "distroless"}, 125,
		[]string{"stuck", "5s", "so far and no further"}, nil}.check(t, h)
	h.unchanged(t, before)
}

// haltingKernel is an x86 ELF file that QEMU boots by its PVH entry
// (xen/include/public/arch-x86/hvm/start_info.h): it writes text to the first
// serial port and halts for ever.
func haltingKernel(text string) []byte {
	const base, codeAt, textAt, noteAt, size = 0x100000, 0x200, 0x240, 0x300, 0x400
	code := []byte{
		0xbe, 0, 0, 0, 0, // mov esi, text
		0x66, 0xba, 0xf8, 0x03, // mov dx, 0x3f8
		0xac,       // next: lodsb
		0x84, 0xc0, // test al, al
		0x74, 0x03, // jz halt
		0xee,       // out dx, al
		0xeb, 0xf8, // jmp next
		0xfa,       // halt: cli
		0xf4,       // again: hlt
		0xeb, 0xfd, // jmp again
	}
	binary.LittleEndian.PutUint32(code[1:], base+textAt)
	const notePVH = 18 // XEN_ELFNOTE_PHYS32_ENTRY
	note := binary.LittleEndian.AppendUint32(nil, 4)
	note = binary.LittleEndian.AppendUint32(note, 8)
	note = binary.LittleEndian.AppendUint32(note, notePVH)
	note = append(note, "Xen\x00"...)
	note = binary.LittleEndian.AppendUint64(note, base+codeAt)

	var head bytes.Buffer
	for _, part := range []any{
		elf.Header64{
			Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
			Type:  uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT),
			Entry: base + codeAt, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 2, Shentsize: 64,
		},
		elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_W | elf.PF_X),
			Vaddr: base, Paddr: base, Filesz: size, Memsz: size, Align: 0x1000},
		elf.Prog64{Type: uint32(elf.PT_NOTE), Flags: uint32(elf.PF_R),
			Off: noteAt, Vaddr: base + noteAt, Paddr: base + noteAt, Filesz: uint64(len(note)), Memsz: uint64(len(note)), Align: 4},
	} {
		_ = binary.Write(&head, binary.LittleEndian, part) // a buffer takes all
	}
	image := make([]byte, size)
	copy(image, head.Bytes())
	copy(image[codeAt:], code)
	copy(image[textAt:], text)
	copy(image[noteAt:], note)
	copy(image[noteAt+0x40:], "Linux version 0.0.0-halts (")
	return image
}
