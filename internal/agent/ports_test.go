package agent_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"banger/internal/agent"
	"banger/internal/wire"
)

const socketHeader = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"

func TestReadPorts(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		table string
		want  []wire.Port
		fails bool
	}{
		"nobody listens": {table: socketHeader},
		"two listen, one is connected": {
			table: socketHeader +
				"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1\n" +
				"   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2\n" +
				"   2: 0F02000A:A0DE 0202000A:0050 01 00000000:00000000 00:00000000 00000000     0        0 3\n",
			want: []wire.Port{{Address: "127.0.0.1", Port: 8080}, {Address: "0.0.0.0", Port: 22}},
		},
		"of the longer addresses": {
			table: socketHeader +
				"   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0\n" +
				"   1: 0000000000000000FFFF00000100007F:0051 00000000000000000000000000000000:0000 0A 0\n" +
				"   2: B80D01200000000000000000010000FE:0052 00000000000000000000000000000000:0000 0A 0\n",
			want: []wire.Port{{Address: "::", Port: 80}, {Address: "127.0.0.1", Port: 81}, {Address: "2001:db8::fe00:1", Port: 82}},
		},
		"an odd address":   {table: socketHeader + "   0: 01:1F90 0:0 0A\n", fails: true},
		"a port too large": {table: socketHeader + "   0: 0100007F:FFFFF 0:0 0A\n", fails: true},
		"short lines":      {table: socketHeader + "\n x\n"},
	} {
		got, err := agent.PortsOf(strings.NewReader(tc.table), "/nonexistent")
		if len(got) == 0 {
			got = nil
		}
		if (err != nil) != tc.fails {
			t.Errorf("%s: %v", name, err)
		}
		if d := cmp.Diff(tc.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

// TestPortOwners: who listens is told by the links of what processes have open;
// what cannot be read is left out.
func TestPortOwners(t *testing.T) {
	t.Parallel()
	proc := t.TempDir()
	for path, target := range map[string]string{
		"12/fd/0": "/dev/null", "12/fd/3": "socket:[77]", "13/fd/4": "socket:[78]", "self/fd/1": "socket:[79]", "14/fd/1": "socket:[80]",
	} {
		path = filepath.Join(proc, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.Symlink(target, path)); err != nil {
			t.Fatal(err)
		}
	}
	for pid, name := range map[string]string{"12": "nginx", "13": "a b"} { // 14 has ended in between
		if err := os.WriteFile(filepath.Join(proc, pid, "comm"), []byte(name+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	table := socketHeader
	for i, inode := range []string{"77", "78", "79", "80"} {
		table += fmt.Sprintf("%d: 00000000:005%d 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 %s 1 0\n", i, i, inode)
	}
	got, err := agent.PortsOf(strings.NewReader(table), proc)
	if err != nil {
		t.Fatal(err)
	}
	want := []wire.Port{
		{Address: "0.0.0.0", Port: 80, PID: 12, Process: "nginx"}, {Address: "0.0.0.0", Port: 81, PID: 13, Process: "a b"},
		{Address: "0.0.0.0", Port: 82}, {Address: "0.0.0.0", Port: 83},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}
