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

const (
	limit  = 20 * time.Minute // of the whole run
	rounds = 3
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ctx, cancel := context.WithTimeout(ctx, limit)
	met, err := run(ctx, os.Args[1:])
	cancel()
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchimage:", err)
		os.Exit(1)
	}
	if !met && os.Getenv("BENCH_STRICT") == "1" {
		os.Exit(1)
	}
}

// run is the benchmark (LAYOUT) or, in a child, one pull (pull REF CACHE FILE).
func run(ctx context.Context, args []string) (met bool, err error) {
	switch {
	case len(args) == 4 && args[0] == "pull":
		return true, errors.Join(pull(ctx, args[1], args[2], args[3]), tellPeak(os.Stdout))
	case len(args) == 1:
		return compare(ctx, args[0])
	}
	return false, errors.New("usage: benchimage LAYOUT")
}

func compare(ctx context.Context, layout string) (met bool, err error) {
	ref, stop, err := serve(layout)
	if err != nil {
		return false, err
	}
	defer stop()
	var all results
	for i := range rounds {
		fmt.Fprintf(os.Stderr, "bench-image: round %d of %d\n", i+1, rounds)
		if err := all.round(ctx, ref); err != nil {
			return false, err
		}
	}
	rows := all.rows()
	if err := report.WriteJSON(filepath.Join("build", "bench", "bench-image.json"), rows); err != nil {
		return false, err
	}
	return report.Print(os.Stdout, rows), nil
}
