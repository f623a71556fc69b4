package rpc

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"banger/internal/model"
)

// ReadyEnv names the environment variable with the number of the file
// descriptor that bangerd writes one line to: ReadyOK when it serves, else
// its error as JSON.
const (
	ReadyEnv = "BANGER_READY_FD"
	ReadyOK  = "ok"
)

const (
	maxLog      = 4 << 20 // bytes of the daemon's log; a longer one is put aside when a daemon starts
	maxReady    = 64 << 10
	tailBytes   = 2 << 10
	tailLines   = 10
	firstExtra  = 3 // the number of the first of os.ProcAttr.Files after standard error
	oldLogExt   = ".1"
	logFileMode = 0o600
)

// startDaemon starts bangerd and waits until it is ready.
func startDaemon(ctx context.Context, paths model.Paths, daemonExe string) error {
	exe, err := findDaemon(daemonExe)
	if err != nil {
		return err
	}
	log, err := openLog(paths.DaemonLog())
	if err != nil {
		return model.Unwritable(paths.State, "opening the daemon's log", err)
	}
	defer log.Close()
	logged, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return model.Errorf(model.CodeInternal, "opening the daemon's log: %w", err)
	}
	ready, err := spawn(exe, paths, log)
	if err != nil {
		return model.Errorf(model.CodeUnreachable, "starting %s: %w", exe, err)
	}
	defer ready.Close()
	defer context.AfterFunc(ctx, func() { _ = ready.Close() })() // ends the read
	return readReady(ctx, ready, paths.DaemonLog(), logged)
}

// openLog opens the log to append to; one that is long becomes log.1.
func openLog(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	if info, err := os.Stat(path); err == nil && info.Size() > maxLog {
		if err := os.Rename(path, path+oldLogExt); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, logFileMode)
}

// spawn starts the daemon in a session of its own, so that neither the end of
// the terminal nor Ctrl-C reaches it, and returns the end to read its
// readiness from. It outlives its caller.
func spawn(exe string, paths model.Paths, log *os.File) (*os.File, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	ready, tell, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer tell.Close()
	argv := []string{exe, "-config", paths.Config, "-state", paths.State, "-cache", paths.Cache, "-run", paths.Run}
	process, err := os.StartProcess(exe, argv, &os.ProcAttr{
		Dir:   "/",
		Env:   append(os.Environ(), fmt.Sprintf("%s=%d", ReadyEnv, firstExtra)),
		Files: []*os.File{null, log, log, tell},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return nil, errors.Join(err, ready.Close())
	}
	go func() { _, _ = process.Wait() }() // a caller that lives on keeps no zombie
	return ready, nil
}

// readReady reads the daemon's one line. logged is where its part of the log
// begins.
func readReady(ctx context.Context, ready io.Reader, logPath string, logged int64) error {
	line, err := bufio.NewReader(io.LimitReader(ready, maxReady)).ReadString('\n')
	line = strings.TrimSuffix(line, "\n")
	told := &model.Error{}
	switch {
	case err == nil && line == ReadyOK:
		return nil
	case err == nil && json.Unmarshal([]byte(line), told) == nil && told.Code != "":
		return told
	case errors.Is(ctx.Err(), context.Canceled):
		return model.Errorf(model.CodeCanceled, "starting bangerd: %w", ctx.Err())
	case ctx.Err() != nil:
		return model.Errorf(model.CodeUnreachable, "bangerd was started and is not ready yet: %w", ctx.Err()).
			WithHint("see %s", logPath)
	}
	msg := "bangerd ended while it was starting"
	if tail := logTail(logPath, logged); tail != "" {
		msg += ":\n" + tail
	}
	return model.Errorf(model.CodeUnreachable, "%s", msg).WithHint("see %s", logPath)
}

// logTail returns the last lines of the log after offset from.
func logTail(path string, from int64) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil || end <= from {
		return ""
	}
	tail := make([]byte, min(end-from, tailBytes))
	if _, err := f.ReadAt(tail, end-int64(len(tail))); err != nil {
		return ""
	}
	lines := strings.Split(strings.TrimSpace(string(tail)), "\n")
	lines = lines[max(0, len(lines)-tailLines):]
	for i, line := range lines {
		lines[i] = "  " + model.Printable(line)
	}
	return strings.Join(lines, "\n")
}
