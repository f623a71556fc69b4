package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"banger/internal/model"
)

// TestDialStartsNothing: with no daemon a call fails, and not a file is made.
func TestDialStartsNothing(t *testing.T) {
	t.Parallel()
	home := filepath.Join(t.TempDir(), "home")
	daemon := daemonAt{getenv: func(key string) string { return map[string]string{"BANGER_HOME": home}[key] }}
	api, err := daemon.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := api.Version(t.Context()); model.CodeOf(err) != model.CodeUnreachable {
		t.Errorf("Version: %v, want %s", err, model.CodeUnreachable)
	}
	if _, err := os.Stat(home); !os.IsNotExist(err) {
		t.Errorf("dial made %s", home)
	}
}

// TestBadHome: what is wrong with the environment is told before a connection.
func TestBadHome(t *testing.T) {
	t.Parallel()
	daemon := daemonAt{getenv: func(key string) string { return map[string]string{"BANGER_HOME": "relative"}[key] }}
	if _, err := daemon.dial(t.Context()); model.CodeOf(err) != model.CodeInvalid {
		t.Errorf("dial: %v, want %s", err, model.CodeInvalid)
	}
}

// TestOtherDaemon: after an upgrade the daemon is still the old one.
func TestOtherDaemon(t *testing.T) {
	t.Parallel()
	same := model.VersionInfo{Version: "v2", Commit: "b"}
	for name, c := range map[string]struct {
		daemon model.VersionInfo
		flags  globalFlags
		told   bool
	}{
		"the same":      {daemon: same},
		"an older one":  {daemon: model.VersionInfo{Version: "v1", Commit: "a"}, told: true},
		"another build": {daemon: model.VersionInfo{Version: "v2", Commit: "a"}, told: true},
		"quiet":         {daemon: model.VersionInfo{Version: "v1"}, flags: globalFlags{quiet: true}},
		"for a program": {daemon: model.VersionInfo{Version: "v1"}, flags: globalFlags{json: true}},
	} {
		var stderr bytes.Buffer
		a := &app{build: same, stderr: &stderr, flags: c.flags}
		a.tellOther(c.daemon)
		if told := strings.Contains(stderr.String(), "system shutdown"); told != c.told {
			t.Errorf("%s: %q", name, stderr.String())
		}
	}
}
