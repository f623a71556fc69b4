package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"banger/test/report"
)

const limit = 40 * time.Minute // of the whole run

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

// run is the benchmark (LAYOUTS) or, in a child, one thing to be measured:
//
//	pull REF CACHE FILE   make the ext4 of an image
//	inflate BLOB...       inflate layers and throw the bytes away
//	write BYTES FILE      write a file of so many bytes
func run(ctx context.Context, args []string) (met bool, err error) {
	switch {
	case len(args) == 4 && args[0] == "pull":
		return true, errors.Join(pull(ctx, args[1], args[2], args[3]), tellPeak(os.Stdout))
	case len(args) > 1 && args[0] == "inflate":
		return true, inflateAll(args[1:])
	case len(args) == 3 && args[0] == "write":
		n, err := strconv.ParseInt(args[1], 10, 64)
		return true, errors.Join(err, write(n, args[2]))
	case len(args) == 1:
		return compare(ctx, args[0])
	}
	return false, errors.New("usage: benchimage LAYOUTS")
}

// compare takes the rounds, BENCH_ROUNDS or 3, and prints the rows.
func compare(ctx context.Context, layouts string) (met bool, err error) {
	rounds := 3
	if text := os.Getenv("BENCH_ROUNDS"); text != "" {
		if rounds, err = strconv.Atoi(text); err != nil || rounds < 1 {
			return false, fmt.Errorf("BENCH_ROUNDS is %q", text)
		}
	}
	b, err := newBench(layouts)
	if err != nil {
		return false, err
	}
	defer b.server.Close()
	for i := range rounds {
		fmt.Fprintf(os.Stderr, "bench-image: round %d of %d\n", i+1, rounds)
		if err := b.round(ctx, i == 0); err != nil {
			return false, err
		}
	}
	rows := b.rows()
	if err := report.WriteJSON(filepath.Join("build", "bench", "bench-image.json"), rows); err != nil {
		return false, err
	}
	return report.Print(os.Stdout, rows), nil
}
