// Package report shows what the benchmarks measured: a table for people, JSON
// for machines, and whether the bars were met.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
)

// Row is one measured figure. Smaller is better for all of them.
type Row struct {
	Name  string   `json:"name"`
	Value float64  `json:"value"`
	Unit  string   `json:"unit"`
	Bar   *float64 `json:"bar"`            // nil: told for its own sake
	Met   bool     `json:"met"`            // true without a bar
	Goal  *float64 `json:"goal,omitempty"` // beyond the bar: told, and fails nothing

	// Of several runs, of which Value is the median.
	Runs  int     `json:"runs,omitempty"`
	Least float64 `json:"least,omitempty"`
	Most  float64 `json:"most,omitempty"`
}

// Figure returns a measured figure without a bar.
func Figure(name string, value float64, unit string) Row {
	return Row{Name: name, Value: value, Unit: unit, Met: true}
}

// Against gives the figure a bar that it may not exceed.
func (r Row) Against(bar float64) Row {
	r.Bar, r.Met = &bar, r.Value <= bar
	return r
}

// Print prints the rows and tells whether every bar was met.
func Print(out io.Writer, rows []Row) bool {
	met := true
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "name\tmeasured\tbar\tmet")
	for _, r := range rows {
		bar, answer := "-", "-"
		if r.Bar != nil {
			bar = fmt.Sprintf("%.4g %s", *r.Bar, r.Unit)
			answer = map[bool]string{true: "yes", false: "no"}[r.Met]
		}
		if r.Goal != nil {
			bar = fmt.Sprintf("(%.4g %s)", *r.Goal, r.Unit)
			answer = map[bool]string{true: "(yes)", false: "(no)"}[r.Value <= *r.Goal]
		}
		met = met && r.Met
		fmt.Fprintf(w, "%s\t%.4g %s%s\t%s\t%s\n", r.Name, r.Value, r.Unit, r.spread(), bar, answer)
	}
	_ = w.Flush() // text for a terminal
	return met
}

// spread tells of how many runs the value is the median, and how far they lie
// apart.
func (r Row) spread() string {
	if r.Runs < 2 {
		return ""
	}
	return fmt.Sprintf(" [%.4g, %.4g] n=%d", r.Least, r.Most, r.Runs)
}

// WriteJSON writes the rows to a file, whose directory is made when absent.
func WriteJSON(path string, rows []Row) error {
	text, err := json.MarshalIndent(rows, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// Quantile returns the q-quantile of values, the nearest one above.
func Quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// Median returns the middle one of values.
func Median(values []float64) float64 { return Quantile(values, 0.5) }
