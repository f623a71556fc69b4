package run

import (
	"errors"
	"fmt"
	"strings"
)

// ErrTooMuchOutput: the command wrote more than Cmd.MaxStdout.
var ErrTooMuchOutput = errors.New("too much output")

// Error is a command that failed or could not be run.
type Error struct {
	Argv     []string
	Output   string // the end of standard error, or else of standard output
	ExitCode int    // -1: it did not run or a signal ended it
	Err      error
}

// Error quotes the command line so that it can be pasted into a shell, the
// cause, and the end of what the command said.
func (e *Error) Error() string {
	msg := fmt.Sprintf("running %s: %v", Quote(e.Argv), e.Err)
	if out := strings.TrimSpace(e.Output); out != "" {
		msg += ": " + out
	}
	return msg
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Quote returns argv as one line for a POSIX shell.
func Quote(argv []string) string {
	words := make([]string, len(argv))
	for i, arg := range argv {
		words[i] = quoteWord(arg)
	}
	return strings.Join(words, " ")
}

func quoteWord(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=,+@%", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
