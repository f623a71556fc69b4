package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

// statsOptions are the flags of stats and top.
type statsOptions struct {
	interval time.Duration
	noStream bool
	sort     string
}

func (o *statsOptions) addInterval(cmd *cobra.Command) {
	cmd.Flags().DurationVarP(&o.interval, "interval", "i", time.Second, "`TIME` between two looks, 100ms to 1h")
}

func (o *statsOptions) check(cmd *cobra.Command) error {
	if o.interval < 100*time.Millisecond || o.interval > time.Hour {
		return usageError(cmd.CommandPath(), "--interval %s: must be from 100ms to 1h", o.interval)
	}
	return nil
}

func newVMStatsCommand(a *app) *cobra.Command {
	opts := &statsOptions{}
	cmd := &cobra.Command{
		Use:   "stats [flags] [VM...]",
		Short: "show what VMs use",
		Long: "Shows what VMs use, those that run when none is named, again and again until Ctrl-C:\n" +
			"processor time and memory of the VM's process, what its disks and network move in a\n" +
			"second, and the load and memory that the guest tells. With --json each look is a line\n" +
			"that holds an array.",
		Example:           "  banger stats --no-stream\n  banger stats --no-stream --json dev",
		ValidArgsFunction: a.names(vmNames, true),
		Args:              wantArgs(0, -1, "VM"),
	}
	opts.addInterval(cmd)
	cmd.Flags().BoolVar(&opts.noStream, "no-stream", false, "look once")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := opts.check(cmd); err != nil {
			return err
		}
		return a.action(func(ctx context.Context, args []string) error {
			return runVMStats(ctx, a, opts, args)
		})(cmd, args)
	}
	return cmd
}

func runVMStats(ctx context.Context, a *app, opts *statsOptions, names []string) error {
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	screen := &redrawn{w: a.stdout, inPlace: isTerminal(a.stdout) && !opts.noStream && !a.flags.json}
	s := sampler{api: api, names: names, interval: opts.interval}
	return s.run(ctx, opts.noStream, func(samples []sample) error {
		if a.flags.json {
			return writeJSON(a.stdout, samples, false)
		}
		return screen.show(statsTable(samples))
	})
}

// sample is what one VM used between two looks, and all that was measured at
// the second.
type sample struct {
	model.VMStats
	CPUPercent  float64 `json:"cpu_percent"` // of one processor
	ReadPerSec  int64   `json:"read_bytes_per_second"`
	WritePerSec int64   `json:"write_bytes_per_second"`
	RxPerSec    int64   `json:"rx_bytes_per_second"`
	TxPerSec    int64   `json:"tx_bytes_per_second"`
}

// sampler measures VMs in turns.
type sampler struct {
	api      rpc.API
	names    []string
	interval time.Duration
	before   map[string]model.VMStats // by id
}

// run shows samples until ctx ends, which is no error, or once.
func (s *sampler) run(ctx context.Context, once bool, show func([]sample) error) error {
	if _, err := s.look(ctx); err != nil {
		return err
	}
	tick := time.NewTicker(s.interval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return &reported{code: exitCanceled} // Ctrl-C is how it ends
		}
		samples, err := s.look(ctx)
		if err != nil {
			return err
		}
		if err := show(samples); err != nil || once {
			return err
		}
	}
}

func (s *sampler) look(ctx context.Context) ([]sample, error) {
	stats, err := s.api.StatsVMs(ctx, rpc.VMStatsParams{Names: s.names})
	if err != nil {
		return nil, err
	}
	samples := make([]sample, len(stats))
	now := make(map[string]model.VMStats, len(stats))
	for i, st := range stats {
		samples[i] = between(s.before[st.ID], st)
		now[st.ID] = st
	}
	s.before = now
	return samples, nil
}

// between works out the rates. A VM that was not seen before, or that was
// started again, has none yet.
func between(old, now model.VMStats) sample {
	smp := sample{VMStats: now}
	seconds := now.At.Sub(old.At).Seconds()
	if old.ID == "" || seconds <= 0 || !old.StartedAt.Equal(now.StartedAt) || now.CPUSeconds < old.CPUSeconds {
		return smp
	}
	rate := func(before, after int64) int64 { return int64(float64(max(after-before, 0)) / seconds) }
	smp.CPUPercent = 100 * (now.CPUSeconds - old.CPUSeconds) / seconds
	oldRead, oldWritten := diskTotals(old)
	read, written := diskTotals(now)
	smp.ReadPerSec, smp.WritePerSec = rate(oldRead, read), rate(oldWritten, written)
	if old.Guest != nil && now.Guest != nil {
		oldRx, oldTx := networkTotals(*old.Guest)
		rx, tx := networkTotals(*now.Guest)
		smp.RxPerSec, smp.TxPerSec = rate(oldRx, rx), rate(oldTx, tx)
	}
	return smp
}

func diskTotals(s model.VMStats) (read, written int64) {
	for _, d := range s.Disks {
		read += d.ReadBytes
		written += d.WriteBytes
	}
	return read, written
}

// networkTotals adds up counters that a guest made: they may be anything.
func networkTotals(g model.GuestStats) (rx, tx int64) {
	for _, i := range g.Interfaces {
		rx += int64(i.RxBytes & (1<<62 - 1))
		tx += int64(i.TxBytes & (1<<62 - 1))
	}
	return rx, tx
}

func statsTable(samples []sample) table {
	t := table{header: []string{"NAME", "STATE", "CPU", "MEMORY", "GUEST MEMORY", "LOAD", "DISK R/W", "NET RX/TX", "PROCS"}}
	for _, s := range samples {
		guest, load, procs := "-", "-", "-"
		if g := s.Guest; g != nil {
			guest = formatSize(max(g.MemoryTotalBytes-g.MemoryAvailableBytes, 0)) + " / " + formatSize(g.MemoryTotalBytes)
			load, procs = fmt.Sprintf("%.2f", g.Load[0]), fmt.Sprint(g.Processes)
		}
		t.rows = append(t.rows, []string{
			s.Name, string(s.State), fmt.Sprintf("%.1f%%", s.CPUPercent), formatSize(s.MemoryBytes), guest, load,
			formatRate(s.ReadPerSec) + " / " + formatRate(s.WritePerSec),
			formatRate(s.RxPerSec) + " / " + formatRate(s.TxPerSec), procs,
		})
	}
	return t
}

func formatRate(perSecond int64) string { return formatSize(perSecond) + "/s" }

// redrawn shows one table after the other: in place of the one before on a
// terminal, else below it.
type redrawn struct {
	w       io.Writer
	inPlace bool
	shown   bool
}

func (r *redrawn) show(t table) error {
	var text strings.Builder
	switch {
	case r.inPlace:
		text.WriteString("\x1b[H\x1b[2J") // ECMA-48: cursor to the corner, erase the page
	case r.shown:
		text.WriteString("\n")
	}
	r.shown = true
	_ = t.write(&text) // a strings.Builder takes everything
	_, err := io.WriteString(r.w, text.String())
	return err
}
