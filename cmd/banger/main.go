package main

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"time"

	"banger/internal/model"
)

// Stamped by the linker: -X main.version=... -X main.commit=... -X main.buildTime=...
var version, commit, buildTime = "dev", "unknown", "unknown"

func main() {
	debug.SetGCPercent(400) // a short life: time is dearer than memory
	runtime.GOMAXPROCS(1)   // it waits and copies; idle processors that look for work cost more than they bring
	daemon := daemonAt{getenv: os.Getenv, uid: os.Getuid()}
	a := &app{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		lookupEnv: os.LookupEnv,
		abs:       filepath.Abs,
		now:       time.Now,
		notify:    notify,
		build:     model.VersionInfo{Version: version, Commit: commit, BuildTime: buildTime, GoVersion: runtime.Version()},
		reach:     daemon.reach,
		dial:      daemon.dial,
	}
	daemon.met = a.tellOther
	a.connect = daemon.connect
	os.Exit(a.run(context.Background(), os.Args[1:]))
}
