package agent_test

import (
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
		got, err := agent.ReadPorts(strings.NewReader(tc.table))
		if (err != nil) != tc.fails {
			t.Errorf("%s: %v", name, err)
		}
		if d := cmp.Diff(tc.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}
