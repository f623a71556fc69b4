package main

import (
	"strings"

	"banger/internal/model"
)

// printable makes s safe to print within a line: model.Printable, and no tab,
// which would break the columns of a table.
func printable(s string) string {
	return model.Printable(strings.ReplaceAll(s, "\t", " "))
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
