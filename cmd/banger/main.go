package main

import (
	"context"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"time"

	"banger/internal/model"
)

// Stamped by the linker: -X main.version=... -X main.commit=... -X main.buildTime=...
var version, commit, buildTime = "dev", "unknown", "unknown"

func main() {
	daemon := daemonAt{getenv: os.Getenv, uid: os.Getuid(), executable: os.Executable}
	a := &app{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		lookupEnv: os.LookupEnv,
		abs:       filepath.Abs,
		now:       time.Now,
		notify:    notify,
		build:     model.VersionInfo{Version: version, Commit: commit, BuildTime: buildTime, GoVersion: runtime.Version()},
		connect:   daemon.connect,
		dial:      daemon.dial,
	}
	os.Exit(a.run(context.Background(), os.Args[1:]))
}

// notify is signal.Notify for the signals that are not ignored, as nohup does.
func notify(c chan<- os.Signal, sigs ...os.Signal) (stop func()) {
	for _, sig := range sigs {
		if !signal.Ignored(sig) {
			signal.Notify(c, sig)
		}
	}
	return func() { signal.Stop(c) }
}
