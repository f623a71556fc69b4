package rpc

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"banger/internal/model"
)

// StartTimeout is how long Ensure waits for a daemon.
const StartTimeout = 10 * time.Second

// Ensure returns a client of the daemon of these paths, which it starts when
// none runs. daemonExe is the program; "" means bangerd beside the running
// executable, else in PATH.
//
//	connect  a daemon that answers is used
//	start    else bangerd is started, in a session of its own; its output goes to the daemon's log
//	wait     it says that it is ready, or why it cannot be
//	race     another program was first: back to connect
func Ensure(ctx context.Context, paths model.Paths, daemonExe string) (*Client, error) {
	ctx, cancel := context.WithTimeout(ctx, StartTimeout)
	defer cancel()
	c := NewClient(paths.Socket())
	if err := ensure(ctx, c, paths, daemonExe); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Reach returns a client of the daemon of these paths whose calls with standard
// input and output start it when none runs, as Ensure would; other calls do
// not. It asks nothing beforehand, which saves such calls a round trip.
func Reach(paths model.Paths, daemonExe string) *Client {
	c := NewClient(paths.Socket())
	c.start = func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, StartTimeout)
		defer cancel()
		return ensure(ctx, c, paths, daemonExe)
	}
	return c
}

func ensure(ctx context.Context, c *Client, paths model.Paths, daemonExe string) error {
	for {
		met, err := c.Version(ctx)
		if err == nil {
			c.met = met
			return nil
		}
		if model.CodeOf(err) != model.CodeUnreachable {
			return unresponsive(err, paths)
		}
		err = startDaemon(ctx, paths, daemonExe)
		if err != nil && model.CodeOf(err) != model.CodeConflict {
			return err
		}
		if err != nil && !pause(ctx) {
			return unresponsive(err, paths)
		}
	}
}

// pause waits a moment for the daemon that was first; false: ctx has ended.
func pause(ctx context.Context) bool {
	const moment = 50 * time.Millisecond
	select {
	case <-time.After(moment):
		return true
	case <-ctx.Done():
		return false
	}
}

// unresponsive adds where to look to the error of a daemon that does not answer.
func unresponsive(err error, paths model.Paths) error {
	if code := model.CodeOf(err); code != model.CodeTimeout && code != model.CodeConflict {
		return err
	}
	return model.Errorf(model.CodeUnreachable, "the daemon does not answer: %w", err).
		WithHint("see %s", paths.DaemonLog())
}

// findDaemon returns the absolute path of bangerd.
func findDaemon(daemonExe string) (string, error) {
	const name = "bangerd"
	if daemonExe == "" {
		if self, err := os.Executable(); err == nil {
			daemonExe = filepath.Join(filepath.Dir(self), name)
		}
		if _, err := os.Stat(daemonExe); err != nil {
			daemonExe = name
		}
	}
	found, err := exec.LookPath(daemonExe)
	if err == nil {
		found, err = filepath.Abs(found)
	}
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
		return "", model.Errorf(model.CodeUnreachable, "no daemon runs, and %s is not there to be started: %w", name, err).
			WithHint("install bangerd beside banger or in PATH")
	}
	if err != nil {
		return "", model.Errorf(model.CodeUnreachable, "finding %s: %w", name, err)
	}
	return found, nil
}
