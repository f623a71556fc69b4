package agent_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// maxBinary is how large the agent may get: it is in the memory of each guest.
const maxBinary = 8 << 20

// dependencies are all that is in the agent beside the standard library. It
// runs as root and as PID 1 in every guest: a line more here is a decision.
const dependencies = `banger/cmd/banger-agent
banger/internal/agent
banger/internal/model
banger/internal/probe
banger/internal/wire
github.com/hashicorp/yamux
golang.org/x/sys/unix
`

func TestDependencies(t *testing.T) {
	t.Parallel()
	needGo(t)
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "banger/cmd/banger-agent")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(string(out))
	slices.Sort(lines)
	if diff := cmp.Diff(dependencies, strings.Join(lines, "\n")+"\n"); diff != "" {
		t.Errorf("dependencies of the agent (-want +got):\n%s", diff)
	}
}

// TestSize builds the agent as it is shipped.
func TestSize(t *testing.T) {
	t.Parallel()
	needGo(t)
	path := buildAgent(t, t.TempDir())
	info, err := os.Stat(path)
	if err != nil || info.Size() > maxBinary {
		t.Errorf("%d bytes, %v; at most %d", info.Size(), err, maxBinary)
	}
	if out, err := exec.CommandContext(t.Context(), path, "-version").Output(); err != nil || !strings.Contains(string(out), "test") {
		t.Errorf("-version: %s, %v", out, err)
	}
}

func needGo(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go tool")
	}
}
