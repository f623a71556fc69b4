package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

// consoleOptions are the flags of console.
type consoleOptions struct {
	detachKeys string
	tail       int
}

func newVMConsoleCommand(a *app) *cobra.Command {
	opts := &consoleOptions{}
	cmd := &cobra.Command{
		Use:     "console [flags] VM",
		Aliases: []string{"attach"},
		Short:   "attach to the serial console of a VM (attach)",
		Long: "Attaches this terminal to the serial console of a VM, one at a time. Type ctrl-p ctrl-q\n" +
			"to detach; the VM goes on. Every byte that the guest prints reaches the terminal: attach\n" +
			"to guests that you trust, and read others with 'banger logs'.",
		Example:           "  banger console dev\n  banger console --detach-keys ctrl-] --tail 50 dev",
		Args:              wantArgs(1, 1, "VM"),
		ValidArgsFunction: a.names(vmNames, false),
	}
	cmd.Flags().StringVar(&opts.detachKeys, "detach-keys", "ctrl-p,ctrl-q", "`KEYS` to detach: letters and ctrl-LETTER, with commas between")
	cmd.Flags().VarP(countValue{&opts.tail, 1, 100_000, "lines"}, "tail", "n", "begin with the last lines")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return runVMConsole(cmd.Context(), a, cmd.CommandPath(), opts, args[0])
	}
	return cmd
}

// errDetached: the user has typed the keys.
var errDetached = errors.New("detached")

func runVMConsole(ctx context.Context, a *app, path string, opts *consoleOptions, vm string) error {
	keys, err := parseKeys(opts.detachKeys)
	if err != nil {
		return usageError(path, "--detach-keys %q: %w", opts.detachKeys, err)
	}
	if a.flags.json {
		return usageError(path, "a console is no JSON value").WithHint("banger logs --json %s", vm)
	}
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	p := rpc.VMConsoleParams{Name: vm, Stdin: true, Tail: opts.tail}
	mode := ioMode{tty: true, stdin: true}
	_, err = a.attach(ctx, mode, func(ctx context.Context, stdio rpc.Stdio, report model.Report) (model.ExitStatus, error) {
		api, err := a.connect(ctx)
		if err != nil {
			return model.ExitStatus{}, err
		}
		stdio.Stdin = &detachReader{r: stdio.Stdin, keys: keys, detach: func() { end(errDetached) }}
		return api.ConsoleVM(ctx, p, stdio, report)
	})
	if errors.Is(err, errDetached) {
		fmt.Fprintf(a.stderr, "\r\n%s\n", note("detached from "+vm+", which goes on"))
		return nil
	}
	return err
}

// parseKeys reads docker's notation of keys: "ctrl-p,ctrl-q", "ctrl-],x".
func parseKeys(text string) ([]byte, error) {
	var keys []byte
	for len(text) > 0 {
		key, rest := text[:1], text[1:]
		if after, ok := cutControl(text); ok && after != "" {
			c := after[0]
			switch {
			case c >= 'a' && c <= 'z':
				c -= 'a' - 1
			case c >= '@' && c <= '_':
				c -= '@'
			default:
				return nil, fmt.Errorf("there is no key ctrl-%c", c)
			}
			key, rest = string([]byte{c}), after[1:]
		}
		keys = append(keys, key[0])
		if rest != "" && rest[0] != ',' || rest == "," {
			return nil, fmt.Errorf("a comma is wanted between keys")
		}
		if rest != "" {
			rest = rest[1:]
		}
		text = rest
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("no keys")
	}
	return keys, nil
}

func cutControl(text string) (string, bool) {
	const prefix = "ctrl-"
	if len(text) > len(prefix) && text[:len(prefix)] == prefix {
		return text[len(prefix):], true
	}
	return "", false
}

// detachReader passes what is typed until the keys come one after the other;
// then it calls detach and is at its end. Keys that begin the sequence are
// held back until the next one decides.
type detachReader struct {
	r       io.Reader
	keys    []byte
	detach  func()
	matched int
	out     []byte
	err     error
}

// Read implements io.Reader.
func (d *detachReader) Read(p []byte) (int, error) {
	for len(d.out) == 0 {
		if d.err != nil {
			return 0, d.err
		}
		buf := make([]byte, max(len(p), 1))
		n, err := d.r.Read(buf)
		d.err = err
		for _, key := range buf[:n] {
			if d.take(key) {
				d.err = io.EOF
				d.detach()
				break
			}
		}
	}
	n := copy(p, d.out)
	d.out = d.out[n:]
	return n, nil
}

// take handles one key and reports whether it was the last of the sequence.
func (d *detachReader) take(key byte) bool {
	if key == d.keys[d.matched] {
		d.matched++
		return d.matched == len(d.keys)
	}
	d.out = append(d.out, d.keys[:d.matched]...)
	d.matched = 0
	if key == d.keys[0] {
		d.matched = 1
		return len(d.keys) == 1
	}
	d.out = append(d.out, key)
	return false
}
