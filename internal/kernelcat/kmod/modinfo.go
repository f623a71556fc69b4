package kmod

import (
	"bytes"
	"debug/elf"
	"regexp"
	"strings"

	"banger/internal/model"
)

// maxDepends is how many modules one module may name as needed.
const maxDepends = 256

var (
	nameRE    = regexp.MustCompile(`^[0-9A-Za-z_]{1,64}$`)
	aliasRE   = regexp.MustCompile(`^[!-~]+$`) // one word: it is to stand in a line
	releaseRE = regexp.MustCompile(`^[0-9A-Za-z._+~-]{1,64}$`)
)

// Info is what a module says about itself.
type Info struct {
	Release string   // of the kernel that it was built for
	Depends []string // names of modules to be loaded first
	Aliases []string // patterns of what the kernel asks for when it wants this module
}

// maxAliases is how many aliases of a module count; real ones have some 2,000.
const (
	maxAliases    = 1 << 14
	maxAliasBytes = 512
)

// ParseInfo reads the .modinfo section of the module in ko: NUL-terminated
// key=value strings, of which vermagic, depends and alias are used.
func ParseInfo(ko []byte) (Info, error) {
	f, err := elf.NewFile(bytes.NewReader(ko))
	if err != nil {
		return Info{}, model.Errorf(model.CodeInvalid, "this is no kernel module: %w", err)
	}
	section := f.Section(".modinfo")
	if section == nil || section.Type == elf.SHT_NOBITS || section.Size > uint64(len(ko)) {
		return Info{}, model.Errorf(model.CodeInvalid, "this is no kernel module: it has no .modinfo")
	}
	data, err := section.Data()
	if err != nil {
		return Info{}, model.Errorf(model.CodeIntegrity, "reading .modinfo: %w", err)
	}
	return parseModinfo(string(data))
}

func parseModinfo(section string) (Info, error) {
	var info Info
	for entry := range strings.SplitSeq(section, "\x00") {
		key, value, _ := strings.Cut(entry, "=")
		switch key {
		case "vermagic":
			info.Release, _, _ = strings.Cut(value, " ")
		case "depends":
			info.Depends = splitDepends(value)
		case "alias":
			if aliasRE.MatchString(value) && len(value) <= maxAliasBytes && len(info.Aliases) < maxAliases {
				info.Aliases = append(info.Aliases, value)
			}
		}
	}
	if !releaseRE.MatchString(info.Release) {
		return Info{}, model.Errorf(model.CodeInvalid, "the module does not say which kernel it is for")
	}
	if len(info.Depends) > maxDepends {
		return Info{}, model.Errorf(model.CodeLimit, "the module needs %d others: at most %d are allowed", len(info.Depends), maxDepends)
	}
	for _, name := range info.Depends {
		if !nameRE.MatchString(name) {
			return Info{}, model.Errorf(model.CodeInvalid, "the module needs one of the name %.80q", name)
		}
	}
	return info, nil
}

// splitDepends splits a comma-separated list; the empty one has no elements.
func splitDepends(list string) []string {
	var names []string
	for name := range strings.SplitSeq(list, ",") {
		if name != "" {
			names = append(names, normalize(name))
		}
	}
	return names
}

// normalize gives a module its name inside the kernel, where '-' is '_'.
func normalize(name string) string { return strings.ReplaceAll(name, "-", "_") }
