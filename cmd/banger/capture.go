package main

import (
	"bytes"
	"strings"
)

// maxCapture bounds each of stdout and stderr of a session with --json.
const maxCapture = 16 * mib

// capture holds the output of a process in memory.
type capture struct {
	stdout, stderr cappedBuffer
}

// into puts the output into result; bytes that are no UTF-8 become U+FFFD.
func (c *capture) into(result *outcome) {
	result.Stdout = strings.ToValidUTF8(c.stdout.String(), "\ufffd")
	result.Stderr = strings.ToValidUTF8(c.stderr.String(), "\ufffd")
	result.Truncated = c.stdout.truncated || c.stderr.truncated
}

// cappedBuffer keeps the first maxCapture bytes and drops the rest.
type cappedBuffer struct {
	bytes.Buffer
	truncated bool
}

func (b *cappedBuffer) Write(p []byte) (int, error) {
	room := maxCapture - b.Len()
	if len(p) > room {
		b.truncated = true
		b.Buffer.Write(p[:room])
		return len(p), nil
	}
	return b.Buffer.Write(p)
}
