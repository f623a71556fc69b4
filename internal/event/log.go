package event

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"banger/internal/model"
)

const (
	// maxFile bounds a file of events in bytes; one old file is kept beside
	// the one that grows.
	maxFile = 2 << 20
	// ringSize is how many events a slow follower may lag behind.
	ringSize = 1024
	// maxLine bounds an event on disk, and with it what a reader takes.
	maxLine = 64 << 10
	// maxDetail bounds what is kept of a reason.
	maxDetail = 4 << 10
)

// Log is the history of events: JSON lines in a file that is appended to, and
// the newest of them in memory for those who follow. A torn last line, as a
// power cut leaves it, is skipped by readers.
type Log struct {
	path string
	now  func() time.Time
	log  *slog.Logger

	mu    sync.Mutex
	file  *os.File // nil: not open yet
	size  int64
	torn  bool // the file may end within a line
	ring  [ringSize]model.Event
	next  uint64        // number of the next event; counts from this daemon's start
	added chan struct{} // closed and replaced at each event
}

// New returns a Log in the file at path, which need not be there. Nothing is
// opened before it is used. Errors of writing are told to log: an event that
// cannot be kept is still seen by those who follow.
func New(path string, log *slog.Logger) *Log {
	return &Log{path: path, now: time.Now, log: log, added: make(chan struct{})}
}

// Add keeps an event. Its time is set unless it has one.
func (l *Log) Add(e model.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e.At.IsZero() {
		e.At = l.now().UTC()
	}
	e.Detail = e.Detail[:min(len(e.Detail), maxDetail)]
	l.ring[l.next%ringSize] = e
	l.next++
	close(l.added)
	l.added = make(chan struct{})
	if err := l.write(e); err != nil {
		l.log.Warn("keeping an event", "err", err)
	}
}

// Operation keeps the beginning or the end of an operation.
func (l *Log) Operation(op model.Operation) {
	e := model.Event{Noun: model.EventOperation, ID: op.ID, Name: op.Object, Action: string(op.State), Kind: op.Kind}
	if op.Error != nil {
		e.Detail = op.Error.Msg
	}
	l.Add(e)
}

// Close closes the file.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}

// write appends e. The caller holds mu.
func (l *Log) write(e model.Event) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if err := l.open(); err != nil {
		return err
	}
	if l.size > maxFile {
		if err := l.rotate(); err != nil {
			return err
		}
	}
	line = append(line, '\n')
	if l.torn {
		line = append([]byte{'\n'}, line...)
	}
	n, err := l.file.Write(line)
	l.size += int64(n)
	l.torn = err != nil
	return err
}

// open opens the file to append to. The caller holds mu.
func (l *Log) open() error {
	if l.file != nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(l.path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return err
	}
	l.file, l.size, l.torn = f, info.Size(), info.Size() > 0
	return nil
}

// rotate makes the file the old one and begins a new one. The caller holds mu.
func (l *Log) rotate() error {
	err := l.file.Close()
	l.file = nil
	if err != nil {
		return err
	}
	if err := os.Rename(l.path, oldPath(l.path)); err != nil {
		return err
	}
	return l.open()
}

func oldPath(path string) string { return path + ".1" }
