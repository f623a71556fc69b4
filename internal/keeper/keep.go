package keeper

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/vmm/console"
)

// Config says what is kept. It is handed to the process as JSON.
type Config struct {
	Alive    string    // file that a daemon has locked for as long as it lives: Hold
	Lock     string    // the keeper's own: there is one
	Runs     []string  // directories below which VMs that run have theirs
	Consoles []Console // what is kept short

	Interval time.Duration // between two looks while there is no daemon
	Keep     int64         // bytes of a console's end
}

// Console is a file in each directory of another one.
type Console struct{ Dir, File string }

// keep is the keeper's life.
//
//	alone   another keeper of this home: nothing to do
//	sleep   until no daemon lives
//	look    no VM runs any more: the end
//	trim    the consoles, and again after the interval, until a daemon is back
func keep(c Config) error {
	own, err := os.OpenFile(c.Lock, os.O_CREATE|os.O_RDWR|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer own.Close() // which unlocks it
	if err := flock(own, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil
		}
		return err
	}
	daemon, err := os.OpenFile(c.Alive, os.O_CREATE|os.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer daemon.Close()
	for {
		if err := awaitFree(daemon); err != nil {
			return err
		}
		for alone := true; alone; alone = isFree(daemon) {
			if !anyRuns(c.Runs) {
				return nil
			}
			trimAll(c)
			time.Sleep(c.Interval)
		}
	}
}

// awaitFree sleeps until nobody holds the lock. It is let go of at once: the
// next daemon wants it.
func awaitFree(f *os.File) error {
	if err := flock(f, unix.LOCK_SH); err != nil {
		return err
	}
	return flock(f, unix.LOCK_UN)
}

// isFree tells whether nobody holds the lock.
func isFree(f *os.File) bool {
	if flock(f, unix.LOCK_SH|unix.LOCK_NB) != nil {
		return false
	}
	return flock(f, unix.LOCK_UN) == nil
}

func flock(f *os.File, how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// anyRuns tells whether a process has a path below one of the directories on
// its command line, as those of VMs have: their sockets and pid files are
// there. What it is wrong about only costs another look.
func anyRuns(dirs []string) bool {
	processes, err := os.ReadDir("/proc")
	if err != nil {
		return true
	}
	for _, p := range processes {
		if _, err := strconv.Atoi(p.Name()); err != nil {
			continue
		}
		args, err := os.ReadFile(filepath.Join("/proc", p.Name(), "cmdline"))
		if err != nil {
			continue // it has ended, or is somebody else's
		}
		for _, dir := range dirs {
			if bytes.Contains(args, []byte(dir+"/")) {
				return true
			}
		}
	}
	return false
}

// trimAll is best effort: what cannot be trimmed now may be the next time.
func trimAll(c Config) {
	for _, of := range c.Consoles {
		dirs, err := os.ReadDir(of.Dir)
		if err != nil {
			continue
		}
		for _, d := range dirs {
			file := filepath.Join(of.Dir, d.Name(), of.File)
			if info, err := os.Lstat(file); err == nil && info.Mode().IsRegular() {
				_ = console.Trim(file, c.Keep)
			}
		}
	}
}
