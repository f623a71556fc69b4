package vm

import (
	"context"
	"fmt"
	"io"
	"strings"

	"banger/internal/model"
	"banger/internal/rpc"
	"banger/internal/vmm/console"
)

// lastLines is how much of a console an error quotes.
const lastLines = 12

// LogsVM writes a guest's console to w: all that is kept of it or its last
// lines, and with Follow what comes until the VM ends or ctx does.
func (s *Service) LogsVM(ctx context.Context, p rpc.VMLogsParams, w io.Writer) error {
	vm, err := s.find(ctx, p.Name)
	if err != nil {
		return err
	}
	next, err := printConsole(consolePath(vm), p.Tail, w)
	if err != nil {
		return fmt.Errorf("reading the console of VM %s: %w", vm.Name, err)
	}
	l := s.lookup(vm.ID)
	if !p.Follow || l == nil {
		return nil
	}
	return follow(ctx, l, consolePath(vm), next, w)
}

// printConsole writes the last lines of a console, all for zero and none for
// less, and returns the offset behind them.
func printConsole(path string, lines int, w io.Writer) (int64, error) {
	if lines == 0 {
		return console.Copy(path, 0, w)
	}
	tail, next, err := console.Tail(path, lines)
	if err == nil {
		_, err = w.Write(tail)
	}
	return next, err
}

// follow writes what is appended until the VM has ended, and the last of it.
func follow(ctx context.Context, l *live, path string, next int64, w io.Writer) error {
	until, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-l.gone:
			cancel()
		case <-until.Done():
		}
	}()
	counted := &counter{w: w}
	if err := console.Follow(until, path, next, counted); until.Err() == nil || ctx.Err() != nil {
		return err
	}
	_, err := console.Copy(path, next+counted.n, w)
	return err
}

// counter counts the bytes that pass.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// lastWords is the end of a console for an error: indented lines behind a
// colon.
func lastWords(path string) string {
	tail, _, err := console.Tail(path, lastLines)
	if err != nil || len(tail) == 0 {
		return "; its console is empty"
	}
	lines := strings.Split(strings.TrimRight(string(tail), "\r\n"), "\n")
	for i, line := range lines {
		lines[i] = "  | " + model.Printable(strings.TrimRight(line, "\r "))
	}
	return "; the end of its console:\n" + strings.Join(lines, "\n")
}
