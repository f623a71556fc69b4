package e2e

import (
	"io"
	"strings"
	"sync"
	"testing"
)

// screen keeps what a terminal shows.
type screen struct {
	terminal io.ReadWriter
	mu       sync.Mutex
	text     strings.Builder
}

func newScreen(terminal io.ReadWriter) *screen {
	s := &screen{terminal: terminal}
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := terminal.Read(buf)
			s.mu.Lock()
			s.text.Write(buf[:n])
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return s
}

func (s *screen) holds(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Contains(s.text.String(), text)
}

// typeAndWait types keys and waits until text is shown.
func (s *screen) typeAndWait(t *testing.T, keys, text string) {
	t.Helper()
	if _, err := io.WriteString(s.terminal, keys); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() string {
		if s.holds(text) {
			return ""
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		return "no " + text + " in\n" + s.text.String()
	})
}
