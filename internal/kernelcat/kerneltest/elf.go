package kerneltest

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"strings"
)

// Kernel says what ELF makes.
type Kernel struct {
	Release string
	Machine elf.Machine // 0: x86-64
	NoPVH   bool
	Pad     int // bytes of further content
}

// call is an x86 call: what the branch filter of xz rewrites.
const call = "\xe8\x04\x03\x02\x00text"

// ELF returns an executable with the kernel's banner and a PVH note.
func ELF(k Kernel) []byte {
	if k.Machine == 0 {
		k.Machine = elf.EM_X86_64
	}
	text := []byte("Linux version %s (%s)\x00Linux version " + k.Release + " (builder@host) #1 SMP\x00" + strings.Repeat(call, k.Pad/len(call)))
	note := pvhNote()
	kind := elf.PT_NOTE
	if k.NoPVH {
		kind = elf.PT_NULL
	}
	const headers = 64 + 2*56
	var b bytes.Buffer
	write(&b, elf.Header64{
		Ident: ident(), Type: uint16(elf.ET_EXEC), Machine: uint16(k.Machine), Version: 1,
		Entry: 0x1000000, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 2, Shentsize: 64,
	})
	write(&b, elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: 5, Off: headers, Vaddr: 0x1000000, Paddr: 0x1000000, Filesz: uint64(len(text)), Memsz: uint64(len(text))})
	write(&b, elf.Prog64{Type: uint32(kind), Off: headers + uint64(len(text)), Filesz: uint64(len(note)), Memsz: uint64(len(note))})
	b.Write(text)
	b.Write(note)
	return b.Bytes()
}

func pvhNote() []byte {
	var b bytes.Buffer
	write(&b, []uint32{4, 8, 6}) // a note of another type first
	b.WriteString("Xen\x00linux\x00\x00\x00")
	write(&b, []uint32{4, 4, 18})
	b.WriteString("Xen\x00\x10\x00\x00\x01")
	return b.Bytes()
}

// Module returns a relocatable object with a .modinfo section.
func Module(name, release string, depends ...string) []byte {
	return ModuleInfo("license=GPL", "name="+name, "depends="+strings.Join(depends, ","), "vermagic="+release+" SMP preempt mod_unload modversions ")
}

// ModuleInfo returns a module with these entries in .modinfo.
func ModuleInfo(entries ...string) []byte {
	info := []byte(strings.Join(entries, "\x00") + "\x00")
	names := []byte("\x00.modinfo\x00.shstrtab\x00")
	var b bytes.Buffer
	write(&b, elf.Header64{
		Ident: ident(), Type: uint16(elf.ET_REL), Machine: uint16(elf.EM_X86_64), Version: 1,
		Shoff: uint64(64 + len(info) + len(names)), Ehsize: 64, Shentsize: 64, Shnum: 3, Shstrndx: 2,
	})
	b.Write(info)
	b.Write(names)
	write(&b, elf.Section64{})
	write(&b, elf.Section64{Name: 1, Type: uint32(elf.SHT_PROGBITS), Off: 64, Size: uint64(len(info))})
	write(&b, elf.Section64{Name: 10, Type: uint32(elf.SHT_STRTAB), Off: uint64(64 + len(info)), Size: uint64(len(names))})
	return b.Bytes()
}

func ident() [elf.EI_NIDENT]byte {
	return [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)}
}

// write appends little-endian fields; a bytes.Buffer takes all.
func write(b *bytes.Buffer, data any) {
	if err := binary.Write(b, binary.LittleEndian, data); err != nil {
		panic(err)
	}
}
