package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"banger/internal/daemon"
	"banger/internal/failpoint"
	"banger/internal/keeper"
	"banger/internal/model"
	"banger/internal/rpc"
	"banger/internal/store"
)

// memoryLimit is where the garbage collector begins to work harder, in bytes:
// above what pulling a large image needs, far below what VMs do.
const memoryLimit = 256 << 20

// serve runs the daemon of these paths until ctx ends or it is shut down.
//
//	lock    one daemon for one state directory
//	open    the database, the services
//	listen  the socket
//	serve   recovery, ready, calls
func serve(ctx context.Context, set settings, logTo io.Writer, ready func()) (err error) {
	paths, log := set.paths, slog.New(slog.NewTextHandler(boundLog(logTo, set.paths.DaemonLog(), maxLog), nil))
	debug.SetMemoryLimit(memoryLimit)
	if set.failpoints != nil {
		log.Warn("BANGER_FAILPOINTS is set: this daemon fails where a test wants it to")
		ctx = failpoint.With(ctx, set.failpoints)
	}
	unlock, err := lock(paths)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	db, err := store.Open(ctx, paths.DB())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	svc, err := openServices(set, db, log)
	if err != nil {
		return err
	}
	defer svc.close()
	l, err := rpc.Listen(ctx, paths.Socket())
	if err != nil {
		return err
	}
	alive, err := holdAlive(ctx, paths)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	defer alive.Close()
	ctx, cancel := context.WithCancel(ctx)
	var probing sync.WaitGroup
	defer probing.Wait()
	defer cancel()
	return daemon.New(svc.parts(set, log)).Serve(ctx, l, func() {
		log.Info("ready", "socket", paths.Socket(), "version", version, "pid", os.Getpid())
		ready()
		probing.Go(func() { svc.accel.find(ctx, svc.driver) })
	})
}

// lock makes the state directory ours, or says whose it is.
func lock(paths model.Paths) (unlock func() error, err error) {
	for _, dir := range []string{paths.State, paths.Cache} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, model.Unwritable(dir, "making banger's directories", err)
		}
	}
	fl := flock.New(paths.DaemonLock(), flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
	locked, err := tryLock(fl)
	if err != nil {
		return nil, model.Unwritable(paths.State, "locking "+paths.DaemonLock(), err)
	}
	if !locked {
		who := ""
		if pid := holder(paths.DaemonLock()); pid != 0 {
			who = fmt.Sprintf(" (pid %d)", pid)
		}
		return nil, model.Errorf(model.CodeConflict, "another bangerd%s uses %s", who, paths.State).
			WithHint("`banger system shutdown` ends it, VMs go on; or set BANGER_HOME to another directory")
	}
	// For people: the lock is what counts.
	_ = os.WriteFile(paths.DaemonLock(), []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600)
	return fl.Unlock, nil
}

// holdAlive tells keepers of consoles that a daemon lives, until it ends.
func holdAlive(ctx context.Context, paths model.Paths) (*os.File, error) {
	ctx, cancel := context.WithTimeout(ctx, inheritedLimit)
	defer cancel()
	return keeper.Hold(ctx, paths.AliveLock())
}

// inheritedLimit is how long a child of a killed daemon may hold its lock: it
// has a copy between fork and exec.
const inheritedLimit = 2 * time.Second

// tryLock locks the file unless a daemon that lives holds it.
func tryLock(fl *flock.Flock) (bool, error) {
	for begun := time.Now(); ; time.Sleep(time.Millisecond) {
		locked, err := fl.TryLock()
		if locked || err != nil || time.Since(begun) > inheritedLimit {
			return locked, err
		}
		if pid := holder(fl.Path()); pid == 0 || syscall.Kill(pid, 0) == nil {
			return false, nil
		}
	}
}

// holder reads who wrote the lock file; 0 when it does not say.
func holder(path string) int {
	text, err := os.ReadFile(path)
	pid, bad := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || bad != nil || pid < 1 {
		return 0
	}
	return pid
}
