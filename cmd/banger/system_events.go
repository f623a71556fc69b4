package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

// eventsOptions are the flags of events.
type eventsOptions struct {
	filters      []string
	since, until string
	tail         int
	noFollow     bool
}

func newEventsCommand(a *app) *cobra.Command {
	opts := &eventsOptions{}
	cmd := &cobra.Command{
		Use:   "events [flags]",
		Short: "show what happens to VMs and operations",
		Long: "Prints what happens as it happens, until Ctrl-C: the states of VMs, and operations as\n" +
			"they begin and end. With --since or --tail the past comes first. With --json each event\n" +
			"is one line of JSON.\n\n" +
			"Filters are KEY=VALUE with the keys noun (vm, operation), name (a pattern), id, action\n" +
			"(running, stopped, deleted, failed, ...) and kind (vm.start, image.pull, ...).",
		Example: "  banger events --filter noun=vm\n  banger events --since 1h --no-follow --json\n" +
			"  banger events --filter action=failed",
		Args: noArgs(),
		RunE: a.action(func(ctx context.Context, _ []string) error {
			return runEvents(ctx, a, opts)
		}),
	}
	flags := cmd.Flags()
	flags.StringArrayVarP(&opts.filters, "filter", "f", nil, "only events with `KEY=VALUE`")
	flags.StringVar(&opts.since, "since", "", "begin that `TIME` ago (90s, 24h) or at that time (2026-03-01T12:00:00Z)")
	flags.StringVar(&opts.until, "until", "", "end at that `TIME`, and do not wait for more")
	flags.VarP(countValue{&opts.tail, 1, 100_000, "lines"}, "tail", "n", "begin with the last events")
	flags.BoolVar(&opts.noFollow, "no-follow", false, "print the past and end")
	_ = cmd.RegisterFlagCompletionFunc("filter", cobra.FixedCompletions([]string{"noun=", "name=", "id=", "action=", "kind="},
		cobra.ShellCompDirectiveNoFileComp|cobra.ShellCompDirectiveNoSpace))
	return cmd
}

func (o *eventsOptions) params(now time.Time) (rpc.EventsParams, error) {
	p := rpc.EventsParams{Filters: o.filters, Tail: o.tail, Follow: !o.noFollow && o.until == ""}
	var err error
	if o.since != "" {
		if p.Since, err = model.ParseSince(o.since, now); err != nil {
			return p, err
		}
	}
	if o.until != "" {
		p.Until, err = model.ParseSince(o.until, now)
	}
	return p, err
}

func runEvents(ctx context.Context, a *app, opts *eventsOptions) error {
	p, err := opts.params(a.now())
	if err != nil {
		return err
	}
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	return a.printEvents(ctx, api, p)
}

// printEvents prints the events of p as they come.
func (a *app) printEvents(ctx context.Context, api rpc.API, p rpc.EventsParams) error {
	err := api.Events(ctx, p, &eventPrinter{w: a.stdout, json: a.flags.json})
	if p.Follow && codeOf(err) == model.CodeCanceled {
		return &reported{code: exitCanceled} // Ctrl-C is how following ends
	}
	return err
}

// eventPrinter prints a stream of events, JSON lines, as they come.
type eventPrinter struct {
	w       io.Writer
	json    bool
	pending []byte // of a line whose end has not come yet
}

// Write takes a piece of the stream.
func (p *eventPrinter) Write(data []byte) (int, error) {
	p.pending = append(p.pending, data...)
	for {
		line, rest, whole := bytes.Cut(p.pending, []byte{'\n'})
		if !whole {
			return len(data), nil
		}
		p.pending = rest
		if err := p.print(line); err != nil {
			return 0, err
		}
	}
}

func (p *eventPrinter) print(line []byte) error {
	var e model.Event
	if err := json.Unmarshal(line, &e); err != nil {
		return model.Errorf(model.CodeInternal, "reading an event: %w", err)
	}
	if p.json {
		return writeJSON(p.w, e, false)
	}
	_, err := fmt.Fprintln(p.w, printable(eventLine(e)))
	return err
}

// eventLine is an event for people: when, to what, what, why.
func eventLine(e model.Event) string {
	what := e.Noun
	if e.Kind != "" {
		what = e.Kind
	}
	words := []string{e.At.UTC().Format("2006-01-02T15:04:05.000Z"), what, firstOf(e.Name, "-"), e.Action}
	if e.Detail != "" {
		first, _, _ := strings.Cut(e.Detail, "\n")
		words = append(words, "("+strings.TrimSuffix(first, ":")+")")
	}
	return strings.Join(words, " ")
}
