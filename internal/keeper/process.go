package keeper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// childEnv tells a process that it is to be the keeper; its configuration is on
// its standard input.
const childEnv = "BANGER_KEEPER"

// processName is the keeper's in the lists of processes, at most 15 bytes.
const processName = "banger-keeper"

// MaybeChild turns a process into the keeper if it was started as one; it does
// not return then. The programs that call Ensure call it first in main.
func MaybeChild() {
	if os.Getenv(childEnv) != "" {
		os.Exit(beChild(os.Stdin)) //nolint:forbidigo // the child ends where main has hardly begun
	}
}

func beChild(config io.Reader) int {
	var c Config
	if err := json.NewDecoder(config).Decode(&c); err != nil {
		return 2
	}
	_ = os.WriteFile("/proc/self/comm", []byte(processName), 0)
	debug.FreeOSMemory() // it sleeps for most of its life
	if err := keep(c); err != nil {
		fmt.Fprintln(os.Stderr, "bangerd: keeping consoles short:", err)
		return 1
	}
	return 0
}

// Hold locks the file that tells a keeper of a living daemon, for as long as
// the file is open. Whoever holds it for a moment is a keeper that looks.
func Hold(ctx context.Context, path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err := flock(f, unix.LOCK_EX|unix.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("locking %s: %w", path, err), f.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("locking %s: %w", path, ctx.Err()), f.Close())
		case <-time.After(time.Millisecond):
		}
	}
}

// Keeper starts the keeper.
type Keeper struct {
	cfg Config
	exe string

	mu    sync.Mutex
	known bool // that one runs
}

// New returns a Keeper. exe is the program that calls MaybeChild: the running
// one.
func New(cfg Config, exe string) *Keeper { return &Keeper{cfg: cfg, exe: exe} }

// Recover is Ensure for a daemon that finds VMs of the one before.
func (k *Keeper) Recover(ctx context.Context) error {
	if k == nil || !anyRuns(k.cfg.Runs) {
		return nil
	}
	return k.Ensure(ctx)
}

// Ensure sees to it that a keeper runs. A nil Keeper does nothing.
func (k *Keeper) Ensure(_ context.Context) error {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.known {
		return nil
	}
	runs, err := k.runs()
	if err == nil && !runs {
		err = k.start()
	}
	if err != nil {
		return fmt.Errorf("starting the keeper of consoles: %w", err)
	}
	k.known = true
	return nil
}

// runs tells whether there is one, perhaps of the daemon before.
func (k *Keeper) runs() (bool, error) {
	f, err := os.Open(k.cfg.Lock)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	err = flock(f, unix.LOCK_SH|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}

// start starts it in a session of its own, with the daemon's log as its own.
func (k *Keeper) start() error {
	text, err := json.Marshal(k.cfg)
	if err != nil {
		return err
	}
	config, tell, err := os.Pipe()
	if err != nil {
		return err
	}
	defer config.Close()
	defer tell.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	process, err := os.StartProcess(k.exe, []string{"bangerd: keeper of consoles"}, &os.ProcAttr{
		Dir:   "/",
		Env:   []string{childEnv + "=1", "GOMAXPROCS=1"},
		Files: []*os.File{config, null, os.Stderr},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return err
	}
	go k.await(process)
	_, err = tell.Write(text) // shorter than a pipe is deep
	return err
}

// await notes that the keeper has ended: the next VM starts another one.
func (k *Keeper) await(process *os.Process) {
	_, _ = process.Wait()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.known = false
}
