package provision

import (
	_ "embed" // the scripts of the tools
	"strconv"
	"strings"
)

//go:embed tool_binary.sh
var binaryScript string

//go:embed tool_npm.sh
var npmScript string

//go:embed tool_tmux.sh
var tmuxScript string

// Tool is something that a build installs by name, in one version.
type Tool struct {
	Name    string
	Version string
	About   string
	script  string
}

// Tools returns the tools that builds install. A download that is not what is
// pinned here is refused in the guest: binaries by the SHA-256 of the program,
// packages of npm by that of the package, repositories by their commit.
func Tools() []Tool {
	return []Tool{
		{Name: "claude", Version: claudePin.version, About: "coding agent", script: claudePin.script()},
		{Name: "codex", Version: codexPin.version, About: "coding agent", script: codexPin.script()},
		{Name: "mise", Version: misePin.version, About: "versions of languages and tools", script: misePin.script()},
		{Name: "opencode", Version: opencodePin.version, About: "coding agent", script: opencodePin.script()},
		{Name: "tmux", Version: "of the image, " + tmuxPlugins, About: "terminal multiplexer with plugins", script: tmuxInstall()},
	}
}

// binary is a program of a release page, for x86_64.
type binary struct {
	name, version string
	url           string
	archive       bool   // the download is a .tar.gz that has the program, not the program itself
	sha256        string // of the program
}

//nolint:gochecknoglobals // a table
var (
	misePin = binary{
		name: "mise", version: "2026.9.15",
		url:    "https://github.com/jdx/mise/releases/download/v2026.9.15/mise-v2026.9.15-linux-x64",
		sha256: "09ea631d6f3e7031d63606a0892dc4c796f9fb57f493bc45937f9f7113c88216",
	}
	opencodePin = binary{
		name: "opencode", version: "1.18.33", archive: true,
		url:    "https://github.com/sst/opencode/releases/download/v1.18.33/opencode-linux-x64.tar.gz",
		sha256: "0abbb7c32ab0294c0a7bfa2705f9ff0df5dce5ab721d1f00cccfe393f2a11427",
	}
)

// script installs the program into /usr/local/bin.
func (b binary) script() string {
	args := []string{b.name, b.version, b.url, strconv.FormatBool(b.archive), b.sha256}
	return "set -- " + quoteAll(args) + "\n" + binaryScript
}

// npmPackage is a package for x86_64 that has a program and what belongs to it.
type npmPackage struct {
	name, version string
	spec          string // package and version, as npm takes them
	program       string // its path in the package
	sha256        string // of the package
}

//nolint:gochecknoglobals // a table
var (
	claudePin = npmPackage{
		name: "claude", version: "2.1.330",
		spec:    "@anthropic-ai/claude-code-linux-x64@2.1.330",
		program: "claude",
		sha256:  "40ff30c5768723958032132065e6fcdd1e2dc3a2b3ff9a0bf36c6620ef1c40ef",
	}
	codexPin = npmPackage{
		name: "codex", version: "0.169.0",
		spec:    "@openai/codex@0.169.0-linux-x64",
		program: "vendor/x86_64-unknown-linux-musl/bin/codex",
		sha256:  "89801b4b97faba562eb80fe0a833159ac79399be674022f4b1a0ccab1d153faa",
	}
)

// script installs the package into /usr/local/lib and links its program into
// /usr/local/bin.
func (p npmPackage) script() string {
	return "set -- " + quoteAll([]string{p.name, p.version, p.spec, p.program, p.sha256}) + "\n" + npmScript
}

// The plugins, by the commits of their releases.
const (
	tmuxPlugins = "tpm 3.1.0, tmux-sensible 3.0.0, tmux-resurrect 4.0.0"

	tpmCommit       = "7bdb7ca33c9cc6440a600202b50142f401b6fe21"
	sensibleCommit  = "2ce7679f9dcf42dffa60abd59a3405b87cb8213b"
	resurrectCommit = "e87d7d592cac97fa38c12395ebec042c154a1844"
)

// tmuxInstall installs tmux with the image's package manager and the plugins
// for all users.
func tmuxInstall() string {
	plugins := []string{"tpm", tpmCommit, "tmux-sensible", sensibleCommit, "tmux-resurrect", resurrectCommit}
	return BuildProvisionScript([]string{"tmux", "git", "ca-certificates"}) +
		"set -- " + quoteAll(plugins) + "\n" + tmuxScript
}

// ToolNames returns their names.
func ToolNames() []string {
	var names []string
	for _, t := range Tools() {
		names = append(names, t.Name)
	}
	return names
}

// Pinned returns the names of tools with their versions.
func Pinned(names []string) []string {
	var pinned []string
	for _, name := range names {
		t, _ := toolNamed(name)
		pinned = append(pinned, strings.TrimSpace(t.Name+" "+t.Version))
	}
	return pinned
}

func toolNamed(name string) (Tool, bool) {
	for _, t := range Tools() {
		if t.Name == name {
			return t, true
		}
	}
	return Tool{}, false
}

func toolScript(name string) string {
	t, _ := toolNamed(name)
	return t.script
}
