package kbuild

import (
	"bufio"
	"bytes"
	"embed"
	"fmt"
	"strings"

	"banger/internal/model"
)

//go:embed config/*.config
var fragments embed.FS

// Flavour is a kind of kernel that can be built.
type Flavour struct {
	Name        string
	Description string
	parts       []string // fragments, in order
}

// Flavours are the kernels that can be built, the smallest first.
func Flavours() []Flavour {
	return []Flavour{
		{"tiny", "disk, network card, file systems, namespaces and control groups; no modules", []string{"base"}},
		{"net", "tiny with tunnels, WireGuard, policy routing and nftables", []string{"base", "net"}},
		{"docker", "net with what container engines and Kubernetes ask for", []string{"base", "net", "docker"}},
		{"debug", "tiny with tracing, probes and checks", []string{"base", "debug"}},
	}
}

// Config returns the options that the flavour asks for, those of more after
// them: lines of CONFIG_NAME=value, of which the last one counts. An unknown
// flavour is CodeNotFound, a line of more that is no option CodeInvalid.
func Config(flavour string, more ...[]byte) ([]byte, error) {
	parts, err := partsOf(flavour)
	if err != nil {
		return nil, err
	}
	var all bytes.Buffer
	for _, name := range parts {
		text, err := fragments.ReadFile("config/" + name + ".config")
		if err != nil {
			return nil, fmt.Errorf("reading the options of flavour %s: %w", flavour, err)
		}
		all.Write(text)
	}
	fmt.Fprintf(&all, "CONFIG_LOCALVERSION=\"-banger-%s\"\n", flavour)
	for _, text := range more {
		if err := checkFragment(text); err != nil {
			return nil, err
		}
		all.Write(append(text, '\n'))
	}
	return all.Bytes(), nil
}

func partsOf(flavour string) ([]string, error) {
	var names []string
	for _, f := range Flavours() {
		if f.Name == flavour {
			return f.parts, nil
		}
		names = append(names, f.Name)
	}
	return nil, model.Errorf(model.CodeNotFound, "there is no flavour %q to build: %s are there", flavour, strings.Join(names, ", ")).
		WithHint("add options of your own to one of them with --fragment FILE")
}

// checkFragment refuses what make would misread.
func checkFragment(text []byte) error {
	lines := bufio.NewScanner(bytes.NewReader(text))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if name, value, ok := strings.Cut(line, "="); !ok || value == "" || !optionRE.MatchString(name) {
			return model.Errorf(model.CodeInvalid, "%.80q is no option of a kernel: CONFIG_NAME=value is needed", line)
		}
	}
	return lines.Err()
}
