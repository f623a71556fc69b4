package kbuild

import (
	"bufio"
	"bytes"
	"regexp"
	"slices"
	"strings"

	"banger/internal/model"
)

var optionRE = regexp.MustCompile(`^CONFIG_[A-Za-z0-9_]+$`)

// required are the options without which no guest comes up.
var required = []string{"CONFIG_VIRTIO_BLK", "CONFIG_VIRTIO_CONSOLE", "CONFIG_EXT4_FS", "CONFIG_BLK_DEV_INITRD", "CONFIG_DEVTMPFS", "CONFIG_TTY", "CONFIG_BINFMT_ELF"}

// parse returns the values of a configuration's options, the last of each.
func parse(config []byte) map[string]string {
	values := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(config))
	for lines.Scan() {
		if name, value, ok := strings.Cut(strings.TrimSpace(lines.Text()), "="); ok && optionRE.MatchString(name) {
			values[name] = value
		}
	}
	return values
}

// dropped returns the options that were asked for and are otherwise in the
// configuration that the kernel's own rules made of it, by name.
func dropped(asked, got []byte) []string {
	is := parse(got)
	var names []string
	for name, want := range parse(asked) {
		if have := is[name]; have != want && (have != "" || want != "n") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// checkDropped refuses a configuration without what was asked for: a kernel of
// a flavour has all that its name promises.
func checkDropped(asked, got []byte) error {
	lost := dropped(asked, got)
	if len(lost) == 0 {
		return nil
	}
	return model.Errorf(model.CodeInvalid, "the kernel's own rules take away what was asked for: %.500s", strings.Join(lost, " ")).
		WithHint("give what they depend on as well, or do without: a --fragment FILE with %s=n", lost[0])
}

// checkRequired refuses a configuration that makes no guest's kernel.
func checkRequired(config []byte) error {
	is := parse(config)
	for _, name := range required {
		if is[name] != "y" {
			return model.Errorf(model.CodeInvalid, "the kernel would have no %s built in: no guest comes up without it", name).
				WithHint("see which of the options given takes it away")
		}
	}
	return nil
}
