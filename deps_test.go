package banger_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestCommandLineStaysLight holds the client to its start-up time: packages
// that only the daemon needs cost every command milliseconds of initialization.
func TestCommandLineStaysLight(t *testing.T) {
	t.Parallel()
	heavy := []string{
		"banger/internal/rpc/server", "banger/internal/store",
		"github.com/danielgtaylor/huma", "modernc.org/sqlite", "github.com/google/go-containerregistry",
	}
	client := dependencies(t, "./cmd/banger")
	daemon := dependencies(t, "./cmd/bangerd")
	for _, prefix := range heavy {
		if found := below(client, prefix); found != "" {
			t.Errorf("cmd/banger links %s", found)
		}
		if below(daemon, prefix) == "" {
			t.Errorf("cmd/bangerd does not link %s: is the name still right?", prefix)
		}
	}
}

func dependencies(t *testing.T, pkg string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", pkg).Output()
	if err != nil {
		t.Fatalf("listing what %s links: %v", pkg, err)
	}
	return strings.Fields(string(out))
}

// below returns a package that is prefix or lies below it, or "".
func below(packages []string, prefix string) string {
	for _, pkg := range packages {
		if pkg == prefix || strings.HasPrefix(pkg, prefix+"/") {
			return pkg
		}
	}
	return ""
}
