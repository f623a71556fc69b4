package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"banger/internal/model"
	"banger/test/report"
)

// agentSize is what the agent adds to every guest's initramfs.
func agentSize(_ context.Context, h *home) ([]report.Row, error) {
	info, err := os.Stat(filepath.Join(h.bin, "banger-agent"))
	if err != nil {
		return nil, err
	}
	return []report.Row{report.Figure("agent binary", float64(info.Size())/1e6, "MB").Against(8)}, nil
}

// settleTime is how long a daemon that has worked may tidy up, idleTime how
// long it is then watched.
const settleTime, idleTime = 10 * time.Second, 10 * time.Second

// idleDaemon is what a daemon costs that has worked and now has one VM that
// runs and nobody to serve.
func idleDaemon(ctx context.Context, h *home) ([]report.Row, error) {
	text, err := h.banger(ctx, "version", "--json")
	if err != nil {
		return nil, err
	}
	var v struct{ Daemon model.VersionInfo }
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return nil, err
	}
	if err := pause(ctx, settleTime); err != nil {
		return nil, err
	}
	before, err := wakeups(v.Daemon.PID)
	if err != nil {
		return nil, err
	}
	if err := pause(ctx, idleTime); err != nil {
		return nil, err
	}
	after, err := wakeups(v.Daemon.PID)
	if err != nil {
		return nil, err
	}
	kib, err := statusField(fmt.Sprintf("/proc/%d/status", v.Daemon.PID), "VmRSS")
	if err != nil {
		return nil, err
	}
	return []report.Row{
		report.Figure("idle daemon, resident", kib*1024/1e6, "MB").Against(40),
		report.Figure("idle daemon, wake-ups", (after-before)/idleTime.Seconds(), "/s"),
	}, nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wakeups counts the voluntary context switches of all threads so far.
func wakeups(pid int) (float64, error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil {
		return 0, err
	}
	total := 0.0
	for _, thread := range threads {
		n, err := statusField(thread, "voluntary_ctxt_switches")
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

// statusField reads a number of a file as /proc/PID/status is one.
func statusField(path, field string) (float64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	m := regexp.MustCompile(`(?m)^` + field + `:\s*([0-9]+)`).FindSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("%s has no %s", path, field)
	}
	return strconv.ParseFloat(string(m[1]), 64)
}
