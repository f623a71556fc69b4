package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"banger/internal/agent"
)

// The descriptors that the qemu driver hands on (internal/vmm/qemu/args.go).
const (
	monitorFD = 4
	agentFD   = 5
)

func main() {
	args := os.Args[1:]
	switch {
	case slices.Contains(args, "--version"):
		fmt.Println("QEMU emulator version 7.2.22 (stand-in)")
	case slices.Contains(args, "help"):
		fmt.Println("Available netdev backend types:\nuser")
	default:
		fmt.Fprintln(os.Stderr, "standin:", run(context.Background(), args))
		os.Exit(1)
	}
}

// run is one VM. It returns only when it has to give up: a guest that switches
// itself off ends the process.
func run(ctx context.Context, args []string) error {
	pid := strconv.Itoa(os.Getpid()) + "\n"
	if err := os.WriteFile(valueOf(args, "-pidfile"), []byte(pid), 0o600); err != nil {
		return err
	}
	monitor, err := inherited(monitorFD)
	if err != nil {
		return err
	}
	port, err := inherited(agentFD)
	if err != nil {
		return err
	}
	m := &machine{name: valueOf(args, "-name")}
	server := agent.NewServer(agent.Options{Version: "stand-in", Shutdown: m.powerOff})
	go each(port, func(conn net.Conn) { _ = server.ServeConn(ctx, conn) })
	each(monitor, m.serve)
	return errors.New("the monitor's socket is closed")
}

// valueOf returns what follows the option in args.
func valueOf(args []string, option string) string {
	if i := slices.Index(args, option); i >= 0 && i+1 < len(args) {
		return args[i+1]
	}
	return ""
}

func inherited(fd uintptr) (net.Listener, error) {
	f := os.NewFile(fd, "inherited")
	defer f.Close()
	return net.FileListener(f)
}

// each serves the connections of l one after the other, as QEMU's character
// devices do.
func each(l net.Listener, serve func(net.Conn)) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		serve(conn)
		_ = conn.Close()
	}
}

// machine is the monitor's view of the VM.
type machine struct {
	name string

	mu   sync.Mutex
	conn net.Conn // nil: nobody is connected to the monitor
}

// serve speaks QMP (docs/interop/qmp-spec of QEMU) with one client.
func (m *machine) serve(conn net.Conn) {
	m.connected(conn)
	defer m.connected(nil)
	m.send(map[string]any{"QMP": map[string]any{}})
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		var cmd struct{ Execute, ID string }
		if json.Unmarshal(lines.Bytes(), &cmd) != nil {
			return
		}
		result := map[string]any{}
		if cmd.Execute == "query-name" {
			result["name"] = m.name
		}
		m.send(map[string]any{"return": result, "id": cmd.ID})
		if cmd.Execute == "quit" {
			m.end("host-qmp-quit")
		}
	}
}

func (m *machine) connected(conn net.Conn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conn = conn
}

func (m *machine) send(message any) {
	text, err := json.Marshal(message)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil && m.conn != nil {
		_, _ = m.conn.Write(append(text, '\n')) // a client that has gone reads no more
	}
}

func (m *machine) powerOff() { m.end("guest-shutdown") }

// end tells why and ends the process.
func (m *machine) end(reason string) {
	now := time.Now()
	m.send(map[string]any{
		"event": "SHUTDOWN", "data": map[string]any{"guest": strings.HasPrefix(reason, "guest"), "reason": reason},
		"timestamp": map[string]any{"seconds": now.Unix(), "microseconds": now.Nanosecond() / 1000},
	})
	os.Exit(0)
}
