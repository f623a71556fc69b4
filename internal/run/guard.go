package run

import (
	"os"
	"strconv"
	"time"
)

// guard ends a command and its group when the process that runs it dies: one
// of the group waits for the end of a pipe whose other end only that process
// has.
type guard struct {
	grace time.Duration
	r, w  *os.File
}

// guardScript is called with the seconds of grace and the command. What waits
// is no child that the program would know of, has none of its files, and
// ignores SIGTERM, as its sleep does. There are no variables, as they might be
// the program's.
const guardScript = `( { trap '' TERM; read -r _; kill -TERM 0; sleep "$1"; kill -KILL 0; } <&3 >/dev/null 2>&1 3<&- & )
shift
exec 3<&-
exec "$@"`

// newGuard returns nil for a command that has no grace.
func newGuard(grace time.Duration) (*guard, error) {
	if grace == 0 {
		return nil, nil
	}
	r, w, err := os.Pipe()
	return &guard{grace, r, w}, err
}

// around returns a shell and its arguments that run a program beside the guard.
func (g *guard) around(program string, args []string) (path string, argv []string) {
	seconds := strconv.Itoa(int((g.grace + time.Second - 1) / time.Second))
	return "/bin/sh", append([]string{"sh", "-c", guardScript, "sh", seconds, program}, args...)
}

// files are what the shell has as descriptor 3.
func (g *guard) files() []*os.File {
	if g == nil {
		return nil
	}
	return []*os.File{g.r}
}

// started frees what the group has a copy of.
func (g *guard) started() {
	if g != nil {
		_ = g.r.Close()
	}
}

// close is for a group that has ended: it ends the one that waits.
func (g *guard) close() {
	if g != nil {
		_ = g.w.Close()
	}
}
