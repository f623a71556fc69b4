package main

import (
	"os"
	"path/filepath"
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
