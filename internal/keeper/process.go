package keeper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// childEnv tells a process that it is to be the keeper, of this configuration.
const childEnv = "BANGER_KEEPER"

// MaybeChild turns a process into the keeper if it was started as one; it does
// not return then. The programs that call Ensure call it first in main.
func MaybeChild() {
	text, ok := os.LookupEnv(childEnv)
	if !ok {
		return
	}
	os.Exit(beChild(text)) //nolint:forbidigo // the child ends where main has hardly begun
}

func beChild(text string) int {
	var c Config
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return 2
	}
	debug.FreeOSMemory() // it sleeps for most of its life
	if err := keep(c); err != nil {
		fmt.Fprintln(os.Stderr, "bangerd: keeping consoles short:", err)
		return 1
	}
	return 0
}

// Keeper starts the keeper.
type Keeper struct {
	cfg Config
	exe string

	mu      sync.Mutex
	started bool
}

// New returns a Keeper. exe is the program that calls MaybeChild: the running
// one.
func New(cfg Config, exe string) *Keeper { return &Keeper{cfg: cfg, exe: exe} }

// Ensure sees to it that a keeper runs; it asks once. A nil Keeper does nothing.
func (k *Keeper) Ensure(_ context.Context) error {
	if k == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.started {
		return nil
	}
	runs, err := k.runs()
	if err == nil && !runs {
		err = k.start()
	}
	if err != nil {
		return fmt.Errorf("starting the keeper of consoles: %w", err)
	}
	k.started = true
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
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	process, err := os.StartProcess(k.exe, []string{"bangerd: keeper of consoles"}, &os.ProcAttr{
		Dir:   "/",
		Env:   []string{childEnv + "=" + string(text), "GOMAXPROCS=1"},
		Files: []*os.File{null, null, os.Stderr},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		return err
	}
	go func() { _, _ = process.Wait() }() // it ends before the daemon only when there is another
	return nil
}
