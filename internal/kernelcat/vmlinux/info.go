package vmlinux

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"regexp"

	"banger/internal/model"
)

// Info is what an ELF kernel says about itself.
type Info struct {
	Arch    string `json:"arch"`    // as GOARCH names it
	Release string `json:"release"` // as uname -r prints it
	PVH     bool   `json:"pvh"`     // has the entry that QEMU boots an x86 ELF kernel by
}

// machines are the ELF machines that guests can have.
var machines = map[elf.Machine]string{
	elf.EM_X86_64:  "amd64",
	elf.EM_AARCH64: "arm64",
}

// Inspect reads the ELF kernel in image. One that cannot be a 64-bit kernel of
// a known machine, or without the kernel's banner, is CodeInvalid.
func Inspect(image []byte) (Info, error) {
	f, err := elf.NewFile(bytes.NewReader(image))
	if err != nil {
		return Info{}, model.Errorf(model.CodeInvalid, "this is no ELF kernel: %w", err)
	}
	arch, known := machines[f.Machine]
	switch {
	case f.Class != elf.ELFCLASS64 || f.Data != elf.ELFDATA2LSB || !known:
		return Info{}, model.Errorf(model.CodeInvalid, "the kernel is for %v %v: a 64-bit x86 or ARM one is needed", f.Class, f.Machine)
	case f.Type != elf.ET_EXEC && f.Type != elf.ET_DYN || !loadable(f):
		return Info{}, model.Errorf(model.CodeInvalid, "this is no kernel: an ELF file without anything to load")
	}
	release := Release(image)
	if release == "" {
		return Info{}, model.Errorf(model.CodeInvalid, "this is no kernel: it has no \"Linux version\" banner")
	}
	return Info{Arch: arch, Release: release, PVH: hasPVH(f, image)}, nil
}

func loadable(f *elf.File) bool {
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD {
			return true
		}
	}
	return false
}

// bannerRE is the start of linux_banner (init/version.c), headRE what a
// bzImage's header has of it. The bound is that of utsname.
var (
	bannerRE = regexp.MustCompile(`Linux version ([0-9][0-9A-Za-z._+~-]{0,63}) \(`)
	headRE   = regexp.MustCompile(`^([0-9][0-9A-Za-z._+~-]{0,63}) `)
)

// Release returns the release of the kernel in image, an ELF file or a
// bzImage, which need not be unpacked for it; "" when it does not say.
func Release(image []byte) string {
	re := bannerRE
	if IsBzImage(image) {
		start := int(binary.LittleEndian.Uint16(image[offVersionText:])) + sectorSize
		re, image = headRE, image[min(start, len(image)):]
	}
	if m := re.FindSubmatch(image); m != nil {
		return string(m[1])
	}
	return ""
}

// notePVH is XEN_ELFNOTE_PHYS32_ENTRY.
const notePVH = 18

// hasPVH looks for the PVH entry in the file's notes.
func hasPVH(f *elf.File, image []byte) bool {
	for _, p := range f.Progs {
		end := p.Off + p.Filesz
		if p.Type != elf.PT_NOTE || end < p.Off || end > uint64(len(image)) {
			continue
		}
		if noteIn(image[p.Off:end]) {
			return true
		}
	}
	return false
}

// noteIn walks notes: sizes of name and description, type, then both padded
// to 4 bytes.
func noteIn(notes []byte) bool {
	const header = 12
	for len(notes) >= header {
		nameSize := int64(binary.LittleEndian.Uint32(notes))
		descSize := int64(binary.LittleEndian.Uint32(notes[4:]))
		kind := binary.LittleEndian.Uint32(notes[8:])
		next := header + pad4(nameSize) + pad4(descSize)
		if next > int64(len(notes)) {
			return false
		}
		if kind == notePVH && string(notes[header:header+nameSize]) == "Xen\x00" {
			return true
		}
		notes = notes[next:]
	}
	return false
}

func pad4(n int64) int64 { return (n + 3) &^ 3 }
