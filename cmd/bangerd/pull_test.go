package main

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"banger/internal/config"
	"banger/internal/imagepull"
	"banger/internal/model"
	"banger/internal/rpc"
)

// A daemon without a file has the limits that pulls have by themselves.
func TestDefaultSettingsAreThePullersLimits(t *testing.T) {
	t.Parallel()
	if diff := cmp.Diff(imagepull.DefaultLimits(), pullLimits(config.Default().Image)); diff != "" {
		t.Error(diff)
	}
}

func writeConfig(t *testing.T, paths model.Paths, text string) {
	t.Helper()
	if err := os.MkdirAll(paths.Config, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(paths.ConfigFile(), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDaemonReadsItsSettings(t *testing.T) {
	t.Parallel()
	paths := testPaths(t)
	writeConfig(t, paths, "[image]\nlayers = 3\n")
	c, _ := ensure(t, paths)
	told, err := c.Settings(t.Context())
	if err != nil || told.File != paths.ConfigFile() {
		t.Fatal(told.File, err)
	}
	for _, s := range told.Settings {
		if s.Key == "image.layers" && (s.Value != "3" || s.Origin != model.OriginFile) {
			t.Errorf("%+v", s)
		}
	}
}

// Whoever starts the daemon learns what is wrong with its file.
func TestDaemonRefusesWrongSettings(t *testing.T) {
	t.Parallel()
	paths := testPaths(t)
	writeConfig(t, paths, "[image]\nlayer = 3\n")
	_, err := rpc.Ensure(t.Context(), paths, self(t))
	if model.CodeOf(err) != model.CodeInvalid || !strings.Contains(err.Error(), "line 2") || model.HintOf(err) != "did you mean image.layers?" {
		t.Errorf("%v (%s), hint %q", err, model.CodeOf(err), model.HintOf(err))
	}
}
