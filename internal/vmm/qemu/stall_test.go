package qemu

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// qmp is a monitor's other end with a guest that a full disk stops.
type qmp struct {
	t     *testing.T
	state string
	conts int
	room  int // the cont after which there is room
}

func (q *qmp) serve(conn net.Conn) {
	lines := bufio.NewScanner(conn)
	event := func() { fmt.Fprintln(conn, `{"event":"BLOCK_IO_ERROR","data":{"action":"stop","nospace":true}}`) }
	for lines.Scan() {
		var req request
		if err := json.Unmarshal(lines.Bytes(), &req); err != nil {
			q.t.Error(err)
		}
		result := "{}"
		switch req.Execute {
		case "qmp_capabilities":
			q.state = ioError // before anybody listens
		case "query-status":
			result = fmt.Sprintf(`{"status":%q}`, q.state)
		case "cont":
			if q.conts++; q.conts >= q.room {
				q.state = "running"
			} else {
				event()
			}
		}
		fmt.Fprintf(conn, "{\"id\":%q,\"return\":%s}\n", req.ID, result)
	}
}

// TestFeed: a guest that was stopped before there was a daemon is let try
// until there is room, and whoever listens learns of both once.
func TestFeed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "qmp")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	q := &qmp{t: t, room: 2}
	go func() {
		if conn, err := listener.Accept(); err == nil {
			q.serve(conn)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	mon, err := dialMonitor(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	defer mon.close()
	m := &machine{monitor: mon, stalls: make(chan bool, 1)}
	go m.feed(ctx)
	for _, want := range []bool{true, false} {
		select {
		case got := <-m.Stalls():
			if got != want {
				t.Fatalf("told %t", got)
			}
		case <-ctx.Done():
			t.Fatal("nothing was told")
		}
	}
	select {
	case got := <-m.Stalls():
		t.Errorf("then told %t", got)
	case <-time.After(50 * time.Millisecond):
	}
}
