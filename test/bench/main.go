package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"banger/test/report"
)

// limit bounds the whole run.
const limit = 15 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(ctx, limit)
	met, err := run(ctx, os.Stdout)
	cancel()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	if !met && os.Getenv("BENCH_STRICT") == "1" {
		os.Exit(1)
	}
}

// run measures all there is to measure and reports; met tells whether every
// bar was.
func run(ctx context.Context, out *os.File) (met bool, err error) {
	h, err := newHome("build/bin")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, h.destroy(ctx)) }()
	if err := h.fill(ctx, "build/images/layouts/busybox", image); err != nil {
		return false, err
	}
	var rows []report.Row
	for _, measure := range []func(context.Context, *home) ([]report.Row, error){
		agentSize, bootOverhead, execLatency, idleDaemon, manyVMs,
	} {
		measured, err := measure(ctx, h)
		if err != nil {
			return false, err
		}
		rows = append(rows, measured...)
	}
	if err := report.WriteJSON(filepath.Join("build", "bench", "bench.json"), rows); err != nil {
		return false, err
	}
	return report.Print(out, rows), nil
}
