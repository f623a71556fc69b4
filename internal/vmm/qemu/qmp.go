package qemu

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"
)

const (
	// maxMessage bounds one QMP message in bytes.
	maxMessage = 1 << 20
	// commandLimit bounds one QMP command.
	commandLimit = 10 * time.Second
)

// monitor is a connection to a QEMU's monitor. QEMU serves one at a time.
type monitor struct {
	conn net.Conn
	done chan struct{} // closed when the connection has ended

	mu      sync.Mutex
	serial  int
	pending map[string]chan<- message // by command id
	last    shutdownEvent

	stalls chan struct{} // holds a token when the guest was stopped by a full disk
}

// message is anything that QEMU sends.
type message struct {
	ID     string          `json:"id"`
	Return json.RawMessage `json:"return"`
	Error  *struct {
		Class string `json:"class"`
		Desc  string `json:"desc"`
	} `json:"error"`
	Event     string          `json:"event"`
	Data      json.RawMessage `json:"data"`
	Timestamp struct {
		Seconds      int64 `json:"seconds"`
		Microseconds int64 `json:"microseconds"`
	} `json:"timestamp"`
}

// shutdownEvent is the last SHUTDOWN event; zero: there was none.
type shutdownEvent struct {
	reason string // ShutdownCause of QEMU's qapi/run-state.json
	at     time.Time
}

// dialMonitor connects to the monitor and makes it ready for commands. ctx
// bounds it.
func dialMonitor(ctx context.Context, path string) (*monitor, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("connecting to QEMU's monitor: %w", err)
	}
	m := &monitor{conn: conn, done: make(chan struct{}), pending: map[string]chan<- message{}, stalls: make(chan struct{}, 1)}
	go m.read()
	if err := m.execute(ctx, "qmp_capabilities", nil); err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

// read takes messages until the connection ends.
func (m *monitor) read() {
	defer close(m.done)
	lines := bufio.NewScanner(m.conn)
	lines.Buffer(nil, maxMessage)
	for lines.Scan() {
		var msg message
		if json.Unmarshal(lines.Bytes(), &msg) != nil {
			break
		}
		m.take(msg)
	}
	_ = m.conn.Close()
}

func (m *monitor) take(msg message) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch msg.Event {
	case "BLOCK_IO_ERROR":
		var data struct {
			Action string `json:"action"`
		}
		if json.Unmarshal(msg.Data, &data) == nil && data.Action == "stop" {
			m.stalled()
		}
	case "SHUTDOWN":
		var data struct {
			Reason string `json:"reason"`
		}
		_ = json.Unmarshal(msg.Data, &data) // a reason of "" is none that is known
		at := time.Unix(msg.Timestamp.Seconds, msg.Timestamp.Microseconds*1000)
		m.last = shutdownEvent{reason: data.Reason, at: at}
	}
	if reply, ok := m.pending[msg.ID]; ok {
		delete(m.pending, msg.ID)
		reply <- msg
	}
}

// stalled notes that the guest was stopped by a disk's error.
func (m *monitor) stalled() {
	select {
	case m.stalls <- struct{}{}:
	default:
	}
}

// shutdown returns the last SHUTDOWN event.
func (m *monitor) shutdown() shutdownEvent {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last
}

// execute is executeWith for a command without arguments.
func (m *monitor) execute(ctx context.Context, command string, result any) error {
	return m.executeWith(ctx, command, nil, result)
}

// executeWith runs a command with arguments, a struct, and decodes what it
// returns into result, unless that is nil.
func (m *monitor) executeWith(ctx context.Context, command string, arguments, result any) error {
	ctx, cancel := context.WithTimeout(ctx, commandLimit)
	defer cancel()
	msg, err := m.roundTrip(ctx, command, arguments)
	if err != nil {
		return fmt.Errorf("QEMU's monitor: %s: %w", command, err)
	}
	if msg.Error != nil {
		return fmt.Errorf("QEMU's monitor: %s: %.200s", command, msg.Error.Desc)
	}
	if result == nil {
		return nil
	}
	if err := json.Unmarshal(msg.Return, result); err != nil {
		return fmt.Errorf("QEMU's monitor: answer to %s: %w", command, err)
	}
	return nil
}

var errMonitorClosed = errors.New("the connection was closed")

func (m *monitor) roundTrip(ctx context.Context, command string, arguments any) (message, error) {
	reply := make(chan message, 1)
	id := m.register(reply)
	defer m.forget(id)
	if err := m.send(ctx, request{Execute: command, Arguments: arguments, ID: id}); err != nil {
		return message{}, err
	}
	select {
	case msg := <-reply:
		return msg, nil
	case <-m.done:
		return message{}, errMonitorClosed
	case <-ctx.Done():
		return message{}, ctx.Err()
	}
}

func (m *monitor) register(reply chan<- message) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.serial++
	id := strconv.Itoa(m.serial)
	m.pending[id] = reply
	return id
}

func (m *monitor) forget(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.pending, id)
}

// request is what QEMU is sent.
type request struct {
	Execute   string `json:"execute"`
	Arguments any    `json:"arguments,omitempty"`
	ID        string `json:"id"`
}

func (m *monitor) send(ctx context.Context, req request) error {
	line, err := json.Marshal(req)
	if err != nil {
		return err
	}
	deadline, _ := ctx.Deadline() // execute has set one
	if err := m.conn.SetWriteDeadline(deadline); err != nil {
		return err
	}
	_, err = m.conn.Write(append(line, '\n'))
	return err
}

// close ends the connection and its reader.
func (m *monitor) close() {
	_ = m.conn.Close()
	<-m.done
}
