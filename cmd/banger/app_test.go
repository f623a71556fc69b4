package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"banger/internal/model"
)

// newTestApp is an app that talks to d and sees nothing of this process.
func newTestApp(d *fakeDaemon, stdin io.Reader, stdout, stderr io.Writer) *app {
	return &app{
		stdin: stdin, stdout: stdout, stderr: stderr,
		lookupEnv: func(string) (string, bool) { return "", false },
		abs:       func(path string) (string, error) { return filepath.Join("/cwd", path), nil },
		now:       func() time.Time { return epoch.Add(3 * time.Minute) },
		notify:    func(chan<- os.Signal, ...os.Signal) func() { return func() {} },
		build:     model.VersionInfo{Version: "1.2.3", Commit: "abc", BuildTime: "today", GoVersion: "go1"},
		connect:   d.connect,
		reach:     d.connect,
		dial:      d.connect,
	}
}

// banger runs one command line against d.
func banger(t *testing.T, d *fakeDaemon, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, talk bytes.Buffer
	code = newTestApp(d, strings.NewReader(""), &out, &talk).run(t.Context(), args)
	return code, out.String(), talk.String()
}
