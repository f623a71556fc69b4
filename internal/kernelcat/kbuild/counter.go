package kbuild

import (
	"bytes"
	"fmt"
	"strings"
)

// noteEvery is after how many files the progress of a compilation is told.
const noteEvery = 100

// counter counts the files that make says it compiles.
type counter struct {
	note  func(string)
	rest  []byte
	files int
}

// Write implements io.Writer for make's standard output.
func (c *counter) Write(p []byte) (int, error) {
	c.rest = append(c.rest, p...)
	for {
		line, rest, ok := bytes.Cut(c.rest, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		c.rest = rest
		fields := strings.Fields(string(line))
		if len(fields) != 2 || fields[0] != "CC" {
			continue
		}
		if c.files++; c.files%noteEvery == 0 {
			c.note(fmt.Sprintf("%d files compiled, at %s", c.files, fields[1]))
		}
	}
}
