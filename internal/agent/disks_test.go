package agent_test

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"banger/internal/agent"
)

// TestTakeOver: a filesystem that nobody has used takes the owner and mode of
// the directory below it, any other one keeps its own.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("not root")
	}
	covered := filepath.Join(t.TempDir(), "covered")
	if err := os.Mkdir(covered, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(covered, 7, 8); err != nil {
		t.Fatal(err)
	}
	if err := unix.Chmod(covered, 0o1770); err != nil {
		t.Fatal(err)
	}
	below, err := os.Stat(covered)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		prepare func(t *testing.T, root string)
		uid     uint32
		mode    uint32
	}{
		"empty":           {func(*testing.T, string) {}, 7, 0o1770},
		"with lost+found": {func(t *testing.T, root string) { mkdir(t, root+"/lost+found") }, 7, 0o1770},
		"used":            {func(t *testing.T, root string) { mkdir(t, root+"/data") }, 0, 0o755},
		"another mode":    {func(_ *testing.T, root string) { _ = os.Chmod(root, 0o750) }, 0, 0o750},
		"another owner":   {func(_ *testing.T, root string) { _ = os.Chown(root, 9, 0) }, 9, 0o755},
	} {
		root := filepath.Join(t.TempDir(), "root")
		mkdir(t, root)
		if err := os.Chmod(root, 0o755); err != nil {
			t.Fatal(err)
		}
		tc.prepare(t, root)
		if err := agent.TakeOver(root, below); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var st unix.Stat_t
		if err := unix.Stat(root, &st); err != nil || st.Uid != tc.uid || st.Mode&0o7777 != tc.mode {
			t.Errorf("%s: owner %d, mode %o, %v; want %d, %o", name, st.Uid, st.Mode&0o7777, err, tc.uid, tc.mode)
		}
	}
}

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
}
