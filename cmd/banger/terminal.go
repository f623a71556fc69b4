package main

import (
	"os"
	"sync"

	"golang.org/x/term"

	"banger/internal/model"
)

// terminalFd returns the descriptor of stream when it is a terminal.
func terminalFd(stream any) (fd int, ok bool) {
	file, isFile := stream.(*os.File)
	if !isFile {
		return 0, false
	}
	fd = int(file.Fd())
	return fd, term.IsTerminal(fd)
}

func isTerminal(stream any) bool {
	_, ok := terminalFd(stream)
	return ok
}

// terminalSize returns the size of stream in characters; nil when it is no
// terminal or does not tell.
func terminalSize(stream any) *model.WinSize {
	fd, ok := terminalFd(stream)
	if !ok {
		return nil
	}
	cols, rows, err := term.GetSize(fd)
	if err != nil || cols <= 0 || rows <= 0 || cols > 0xffff || rows > 0xffff {
		return nil
	}
	return &model.WinSize{Rows: uint16(rows), Cols: uint16(cols)}
}

// rawTerminal switches a terminal to raw mode and back. raw and restore may
// come from different goroutines; after restore raw does nothing, so that the
// shell always gets its terminal back as it was.
type rawTerminal struct {
	mu     sync.Mutex
	fd     int
	saved  *term.State
	closed bool
}

// newRawTerminal is for the terminal at stream; without enabled, or when
// stream is no terminal, it leaves the terminal alone.
func newRawTerminal(stream any, enabled bool) *rawTerminal {
	fd, ok := terminalFd(stream)
	return &rawTerminal{fd: fd, closed: !ok || !enabled}
}

func (t *rawTerminal) raw() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || t.saved != nil {
		return
	}
	if saved, err := term.MakeRaw(t.fd); err == nil {
		t.saved = saved
	}
}

func (t *rawTerminal) restore() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	if t.saved != nil {
		_ = term.Restore(t.fd, t.saved)
		t.saved = nil
	}
}

// restoreOnPanic is deferred in a goroutine whose panic would end the program
// before the deferred calls of others.
func (t *rawTerminal) restoreOnPanic() {
	if fault := recover(); fault != nil {
		t.restore()
		panic(fault)
	}
}
