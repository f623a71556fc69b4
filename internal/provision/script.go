package provision

import (
	_ "embed" // the runner and the packages' script
	"strings"
)

//go:embed packages.sh
var packagesScript string

// BuildProvisionScript returns the shell script that installs packages with
// the package manager of the image that it runs in: apt-get, apk or dnf. No
// packages are no script.
func BuildProvisionScript(packages []string) string {
	if len(packages) == 0 {
		return ""
	}
	return "set -- " + quoteAll(packages) + "\n" + packagesScript
}

// BuildModulesCommand returns the command that makes the modules of a kernel
// known to modprobe, when the image has modules of that release.
func BuildModulesCommand(release string) []string {
	const script = `if [ -d "/lib/modules/$1" ] && command -v depmod >/dev/null; then exec depmod -a "$1"; fi`
	return []string{"/bin/sh", "-c", script, "depmod", release}
}

//go:embed run.sh
var runner string

// RunCommand returns the command that runs the script on its standard input,
// and what it says on standard error, on a line of its own, when the script
// ends with an error: mark, a space and the number of the line. mark should be
// something that no script says.
func RunCommand(mark, script string) []string {
	return []string{"/bin/sh", "-c", runner, "banger-build", mark, interpreter(script)}
}

// interpreter tells how a script is to be run: sh or bash, whose lines can be
// told, or itself.
func interpreter(script string) string {
	first, _, _ := strings.Cut(script, "\n")
	line, has := strings.CutPrefix(first, "#!")
	if !has {
		return "sh"
	}
	words := strings.Fields(line)
	if len(words) > 0 && strings.HasSuffix(words[0], "/env") {
		words = words[1:]
	}
	if len(words) != 1 { // with options it is run as it wants to be
		return "itself"
	}
	switch name := words[0][strings.LastIndexByte(words[0], '/')+1:]; name {
	case "sh", "bash":
		return name
	}
	return "itself"
}

func quoteAll(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
	}
	return strings.Join(quoted, " ")
}
