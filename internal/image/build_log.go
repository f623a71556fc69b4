package image

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"banger/internal/model"
)

// Bounds of a build's log.
const (
	maxBuildLog  = 16 << 20 // bytes; what comes later is counted, and its end kept
	maxLogLine   = 4 << 10  // bytes; longer lines are broken
	logTailLines = 20
)

// buildLog keeps what a build says, made printable: in a file, as notes of the
// operation, and its last lines for an error. It is used by one goroutine at a
// time.
type buildLog struct {
	file   *os.File
	out    *bufio.Writer
	report model.Report
	mark   string // begins the line that tells where a script failed

	line    []byte   // what has come of the line that has not ended
	tail    []string // of the step under way
	failed  int      // line at which the step under way has failed; 0: not known
	written int64
	dropped int64
}

// createBuildLog makes the log, which must not exist.
func createBuildLog(path string, report model.Report) (*buildLog, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("making the build's log: %w", err)
	}
	return &buildLog{file: f, out: bufio.NewWriter(f), report: report, mark: newMark()}, nil
}

// begin writes the headline of a step.
func (l *buildLog) begin(step string) {
	l.tail, l.failed = nil, 0
	l.keep("==> " + model.Printable(step))
}

// Write takes output of a step.
func (l *buildLog) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			l.line = append(l.line, rest...)
			rest = nil
		} else {
			l.line = append(l.line, rest[:end]...)
			rest = rest[end+1:]
		}
		for len(l.line) > maxLogLine {
			l.take(l.line[:maxLogLine])
			l.line = append(l.line[:0], l.line[maxLogLine:]...)
		}
		if end >= 0 {
			l.take(l.line)
			l.line = l.line[:0]
		}
	}
	return len(p), nil
}

// flush ends a line that a process has left open, and writes all to the file.
func (l *buildLog) flush() error {
	if len(l.line) > 0 {
		l.take(l.line)
		l.line = l.line[:0]
	}
	if err := l.out.Flush(); err != nil {
		return fmt.Errorf("writing the build's log: %w", err)
	}
	return nil
}

// take handles one line: of one that was overwritten on the terminal, what was
// seen last.
func (l *buildLog) take(raw []byte) {
	text := strings.TrimRight(string(raw), "\r")
	text = model.Printable(text[strings.LastIndexByte(text, '\r')+1:])
	if n, found := strings.CutPrefix(text, l.mark+" "); found {
		l.failed, _ = strconv.Atoi(n) // 0 from a shell that cannot tell
		return
	}
	if text == "" {
		return
	}
	l.tail = append(l.tail, text)
	if len(l.tail) > logTailLines {
		l.tail = l.tail[1:]
	}
	l.keep(text)
}

// keep writes a line to the file and tells it.
func (l *buildLog) keep(text string) {
	l.report(model.Progress{Note: text})
	if l.written += int64(len(text)) + 1; l.written > maxBuildLog {
		l.dropped++
		return
	}
	_, _ = l.out.WriteString(text + "\n") // the error stays in the writer: Flush tells it
}

// failedLine returns the number of the line of script at which it failed, and
// with it what stands there; 0 when that is not known.
func (l *buildLog) failedLine(script string) (text string, n int) {
	lines := strings.Split(script, "\n")
	if l.failed < 1 || l.failed > len(lines) {
		return "", 0
	}
	stands := strings.TrimSpace(lines[l.failed-1])
	if len(stands) > 200 {
		stands = stands[:200] + "..."
	}
	return fmt.Sprintf("%d (%s)", l.failed, model.Printable(stands)), l.failed
}

// lastWords is the end of what the step under way has said as a part of an
// error, or nothing.
func (l *buildLog) lastWords() string {
	if len(l.tail) == 0 {
		return ""
	}
	return "; the end of its log:\n" + strings.Join(l.tail, "\n")
}

// Close completes the file.
func (l *buildLog) Close() error {
	if l.dropped > 0 {
		fmt.Fprintf(l.out, "[%d lines are left out here]\n%s\n", max(0, l.dropped-int64(len(l.tail))), strings.Join(l.tail, "\n"))
	}
	return errors.Join(l.flush(), l.file.Close())
}
