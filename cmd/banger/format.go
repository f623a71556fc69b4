package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"text/template"

	"github.com/spf13/cobra"

	"banger/internal/model"
)

// formatFlag is --format: how a list is printed.
type formatFlag struct{ value string }

const formatHelp = "how to print: table, json, jsonl, csv, or a Go template such as '{{.Name}} {{.State}}'"

func (f *formatFlag) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.value, "format", "", formatHelp)
	_ = cmd.RegisterFlagCompletionFunc("format", words("table", "json", "jsonl", "csv"))
}

// tablePrefix asks for a template whose lines are aligned at their tabs, as
// docker's does.
const tablePrefix = "table "

// printTemplate prints each item through a Go template.
func printTemplate[T any](w io.Writer, format string, items []T) error {
	text, aligned := strings.CutPrefix(format, tablePrefix)
	if !strings.Contains(text, "{{") {
		return model.Errorf(model.CodeInvalid, "--format %q is neither table, json, jsonl, csv nor a Go template", format).
			WithHint("a template names fields: '{{.Name}}'")
	}
	tmpl, err := template.New("format").Funcs(template.FuncMap{"json": jsonText}).Parse(unescape(text))
	if err != nil {
		return model.Errorf(model.CodeInvalid, "--format: %w", err)
	}
	var out bytes.Buffer
	for _, item := range items {
		var line bytes.Buffer
		if err := tmpl.Execute(&line, item); err != nil {
			return model.Errorf(model.CodeInvalid, "--format: %w", err)
		}
		fmt.Fprintln(&out, templateLine(line.String(), aligned))
	}
	return writeAligned(w, out.Bytes(), aligned)
}

// unescape turns the \t and \n of a shell's single quotes into what they mean.
func unescape(s string) string { return strings.NewReplacer(`\t`, "\t", `\n`, "\n").Replace(s) }

// templateLine makes the values of a line safe to print; its own tabs and line
// ends stay.
func templateLine(s string, aligned bool) string {
	keep := "\t\n"
	var out strings.Builder
	for len(s) > 0 {
		i := strings.IndexAny(s, keep)
		if i < 0 {
			i = len(s)
		}
		out.WriteString(printable(s[:i]))
		if i == len(s) {
			break
		}
		out.WriteByte(s[i])
		s = s[i+1:]
	}
	if aligned {
		return strings.ReplaceAll(out.String(), "\n", " ")
	}
	return out.String()
}

func writeAligned(w io.Writer, text []byte, aligned bool) error {
	if !aligned {
		_, err := w.Write(text)
		return err
	}
	tw := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	if _, err := tw.Write(text); err != nil {
		return err
	}
	return tw.Flush()
}

// jsonText is the function json of templates.
func jsonText(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

// printLines prints each item as one line of JSON.
func printLines[T any](w io.Writer, items []T) error {
	for _, item := range items {
		if err := writeJSON(w, item, false); err != nil {
			return err
		}
	}
	return nil
}

// writeCSV prints the table as RFC 4180 has it, the header in small letters.
func (t table) writeCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	header := make([]string, len(t.header))
	for i, name := range t.header {
		header[i] = strings.ToLower(name)
	}
	_ = out.Write(header) // an error stays until Error is asked
	for _, row := range t.rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = printable(cell)
		}
		_ = out.Write(cells)
	}
	out.Flush()
	return out.Error()
}
