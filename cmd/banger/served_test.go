package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"

	"banger/internal/rpc"
	"banger/internal/rpc/server"
)

// served puts d behind a real socket, and returns what reaches it there until
// the test ends.
func served(t testing.TB, d *fakeDaemon) func(context.Context) (rpc.API, error) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	l, err := rpc.Listen(t.Context(), socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.New(d, slog.New(slog.DiscardHandler)).Serve(ctx, l) }()
	client := rpc.NewClient(socket)
	t.Cleanup(func() {
		client.Close()
		stop()
		if err := <-ended; err != nil {
			t.Errorf("serving: %v", err)
		}
	})
	return func(ctx context.Context) (rpc.API, error) {
		if _, err := d.connect(ctx); err != nil {
			return nil, err
		}
		return client, nil
	}
}
