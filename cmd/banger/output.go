package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode/utf16"

	"banger/internal/model"
)

// table is a list for people: one line per object.
type table struct {
	header []string
	rows   [][]string
}

// write prints the table with aligned columns, in one write; cells are made
// printable.
func (t table) write(w io.Writer) error {
	var text bytes.Buffer
	tw := tabwriter.NewWriter(&text, 0, 0, 3, ' ', 0)
	fmt.Fprintln(tw, strings.Join(t.header, "\t"))
	for _, row := range t.rows {
		for i, cell := range row {
			if i > 0 {
				_, _ = io.WriteString(tw, "\t")
			}
			_, _ = io.WriteString(tw, printable(cell))
		}
		_, _ = io.WriteString(tw, "\n")
	}
	_ = tw.Flush() // a bytes.Buffer takes everything
	_, err := text.WriteTo(w)
	return err
}

// fact is one line of a show command.
type fact struct{ name, value string }

// writeFacts prints the facts that have a value.
func writeFacts(w io.Writer, facts []fact) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range facts {
		if f.value != "" {
			fmt.Fprintf(tw, "%s:\t%s\n", f.name, printable(f.value))
		}
	}
	return tw.Flush()
}

// showList prints items: as a JSON array, by name only, or as a table.
func showList[T any](a *app, items []T, name func(T) string, tabulate func([]T) table) error {
	switch {
	case a.flags.json:
		if items == nil {
			items = []T{}
		}
		return a.printJSON(items)
	case a.flags.quiet:
		return showLines(a, items, name)
	default:
		return tabulate(items).write(a.stdout)
	}
}

// showLines prints each item as a line of text, or all as JSON.
func showLines[T any](a *app, items []T, text func(T) string) error {
	if a.flags.json {
		return a.printJSON(items)
	}
	var lines bytes.Buffer
	for _, item := range items {
		fmt.Fprintln(&lines, printable(text(item)))
	}
	_, err := lines.WriteTo(a.stdout)
	return err
}

// showOne prints all of one object: as JSON, by name only, or as facts.
func showOne[T any](a *app, item T, name string, facts []fact) error {
	switch {
	case a.flags.json:
		return a.printJSON(item)
	case a.flags.quiet:
		return a.printName(name)
	default:
		return writeFacts(a.stdout, facts)
	}
}

// showName prints the name of one object, or all of it as JSON.
func showName[T any](a *app, item T, name string) error {
	if a.flags.json {
		return a.printJSON(item)
	}
	return a.printName(name)
}

func (a *app) printName(name string) error {
	_, err := fmt.Fprintln(a.stdout, printable(name))
	return err
}

// printJSON prints one JSON value: on one line, indented for a terminal.
func (a *app) printJSON(v any) error {
	return writeJSON(a.stdout, v, isTerminal(a.stdout))
}

func writeJSON(w io.Writer, v any, indent bool) error {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if indent {
		enc.SetIndent("", "  ")
	}
	if err := enc.Encode(v); err != nil {
		return model.Errorf(model.CodeInternal, "encoding the answer: %w", err)
	}
	_, err := w.Write(escapeJSON(buf.Bytes()))
	return err
}

// escapeJSON writes runes that are not printable as \u escapes. In valid JSON
// they occur in strings alone, so the value stays the same.
func escapeJSON(doc []byte) []byte {
	unsafe := func(r rune) bool { return r != '\n' && !strconv.IsPrint(r) }
	if bytes.IndexFunc(doc, unsafe) < 0 {
		return doc
	}
	var out bytes.Buffer
	for _, r := range string(doc) {
		if !unsafe(r) {
			out.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&out, `\u%04x`, unit)
		}
	}
	return out.Bytes()
}

// clip shortens s to n runes.
func clip(s string, n int) string {
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	return string(runes[:n-1]) + "…"
}
