package imagemgr

import (
	"cmp"
	"slices"
	"strings"
)

// Nearest returns at most three of the candidates that name may have meant,
// the likeliest first: those that differ by few letters, or that name is a
// part of.
func Nearest(name string, candidates []string) []string {
	const most = 3
	type match struct {
		name string
		cost int
	}
	var found []match
	name = clip(name)
	for _, c := range candidates {
		cost := distance(name, clip(c))
		switch {
		case cost <= 1+len(name)/4:
			found = append(found, match{c, cost})
		case len(name) >= 3 && strings.Contains(c, name):
			found = append(found, match{c, len(c)})
		}
	}
	slices.SortFunc(found, func(a, b match) int {
		return cmp.Or(cmp.Compare(a.cost, b.cost), cmp.Compare(a.name, b.name))
	})
	var names []string
	for _, m := range found[:min(most, len(found))] {
		names = append(names, m.name)
	}
	return names
}

// clip bounds the work of distance on hostile names.
func clip(s string) string { return s[:min(len(s), 128)] }

// distance is the Levenshtein distance of a and b in bytes.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
