package apt

import (
	"fmt"
	"path/filepath"
	"strings"

	"banger/internal/model"
)

// aptConf is the configuration of a private root (apt.conf(5)). It is read
// after the host's, of which proxies and credentials stay in force; hooks,
// pins and exemptions from verification do not. Apt asks a silent
// mirror twice, so the time-outs make it known in less than 15 seconds.
func aptConf(root, arch string, ownSources bool) (string, error) {
	if !filepath.IsAbs(root) || strings.ContainsAny(root, "\"\\\n;{}") {
		return "", model.Errorf(model.CodeUnsupported, "apt cannot work in the directory %q", root)
	}
	var b strings.Builder
	for _, key := range []string{
		"APT::Update::Pre-Invoke", "APT::Update::Post-Invoke", "APT::Update::Post-Invoke-Success",
		"APT::Architectures", "APT::Default-Release", "Acquire::Languages",
	} {
		fmt.Fprintf(&b, "#clear %s;\n", key)
	}
	for _, kv := range settings(root, arch, ownSources) {
		fmt.Fprintf(&b, "%s \"%s\";\n", kv[0], kv[1])
	}
	return b.String(), nil
}

func settings(root, arch string, ownSources bool) [][2]string {
	in := func(name string) string { return filepath.Join(root, name) }
	list := [][2]string{
		{"Dir::State", in("state")},
		{"Dir::State::lists", in("lists")},
		{"Dir::State::status", in("status")},
		{"Dir::Cache", in("cache")},
		{"Dir::Etc::preferences", in("none")},
		{"Dir::Etc::preferencesparts", in("none")},
		{"APT::Architecture", arch},
		{"APT::Architectures::", arch},
		{"APT::Sandbox::User", "root"}, // no change of user: the root is the caller's alone
		{"APT::Get::AllowUnauthenticated", "false"},
		{"Acquire::AllowInsecureRepositories", "false"},
		{"Acquire::AllowWeakRepositories", "false"},
		{"Acquire::AllowDowngradeToInsecureRepositories", "false"},
		{"Acquire::Languages", "none"},
		{"Acquire::Retries", "0"},
		{"Acquire::http::Timeout", "6"},
		{"Acquire::https::Timeout", "6"},
		{"APT::Update::Error-Mode", "any"},
	}
	if ownSources {
		list = append(list, [][2]string{
			{"Dir::Etc::sourcelist", in("sources.list")},
			{"Dir::Etc::sourceparts", in("none")},
		}...)
	}
	return list
}
