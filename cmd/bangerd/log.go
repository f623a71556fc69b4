package main

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// maxLog bounds the daemon's log in bytes while it runs; with the one that is
// put aside it takes twice as much.
const maxLog = 4 << 20

// boundedLog writes to a log file, and puts it aside as path.1 when it has
// grown to limit. The descriptor stays the same, so that what the runtime says
// at a crash goes to the new file too.
type boundedLog struct {
	path  string
	out   *os.File
	size  int64
	limit int64
}

// boundLog returns out bounded, if it is the file at path; a terminal or a
// journal keeps its own measure.
func boundLog(out io.Writer, path string, limit int64) io.Writer {
	file, ok := out.(*os.File)
	if !ok {
		return out
	}
	opened, err := file.Stat()
	if err != nil {
		return out
	}
	named, err := os.Stat(path)
	if err != nil || !os.SameFile(opened, named) {
		return out
	}
	return &boundedLog{path: path, out: file, size: opened.Size(), limit: limit}
}

// Write is called for one line at a time.
func (l *boundedLog) Write(p []byte) (int, error) {
	if l.size+int64(len(p)) > l.limit && l.size > 0 {
		l.size = 0 // one that cannot be put aside is tried again after as much
		if err := l.putAside(); err != nil {
			fmt.Fprintln(l.out, "bangerd: putting the log aside:", err)
		}
	}
	n, err := l.out.Write(p)
	l.size += int64(n)
	return n, err
}

func (l *boundedLog) putAside() error {
	if err := os.Rename(l.path, l.path+".1"); err != nil {
		return err
	}
	next, err := os.OpenFile(l.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer next.Close()
	return unix.Dup3(int(next.Fd()), int(l.out.Fd()), 0)
}
