package main

import (
	"strings"

	"banger/internal/model"
)

// printable makes s safe to print within a line: model.Printable, and no tab,
// which would break the columns of a table.
func printable(s string) string {
	if isPlain(s) {
		return s
	}
	return model.Printable(strings.ReplaceAll(s, "\t", " "))
}

// isPlain reports whether s is printable ASCII: most of what is printed, and
// lists are long.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// printableLines is printable for text of several lines; each line after the
// first is indented, so that it cannot pass for a line of banger's own.
func printableLines(s string) string {
	lines := strings.Split(strings.TrimRight(s, "\r\n"), "\n")
	for i, line := range lines {
		lines[i] = printable(strings.TrimSuffix(line, "\r"))
	}
	return strings.Join(lines, "\n  ")
}
