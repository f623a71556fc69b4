package model

import (
	"slices"
	"strings"
)

// minIDPrefix is how much of an id stands for the whole where something is
// destroyed: 24 bits, which a name that is gone hardly ever begins with.
const minIDPrefix = 6

// NamesExactly tells whether key is the name, the id, or so long a beginning
// of the id that it means nothing else. Verbs that destroy want that: a
// script whose object "db" is gone must not hit one with the id "db41...".
func NamesExactly(key, name, id string) bool {
	return key == name || len(key) >= minIDPrefix && strings.HasPrefix(id, key)
}

// Nearest returns at most three of names that look like a misspelling of
// name, the best first: those within a third of its length in edits
// (Levenshtein), and those that contain it.
func Nearest(name string, names []string) []string {
	type scored struct {
		name string
		dist int
	}
	var near []scored
	limit := max(1, len(name)/3)
	for _, n := range names {
		d := editDistance(name, n)
		if len(name) >= 3 && strings.Contains(n, name) {
			d = min(d, limit)
		}
		if d <= limit {
			near = append(near, scored{n, d})
		}
	}
	slices.SortStableFunc(near, func(a, b scored) int {
		if a.dist != b.dist {
			return a.dist - b.dist
		}
		return strings.Compare(a.name, b.name)
	})
	var out []string
	for _, n := range near[:min(3, len(near))] {
		out = append(out, n.name)
	}
	return out
}

// editDistance is the Levenshtein distance of two byte strings. Both are cut
// at 256 bytes, so that hostile input costs no time.
func editDistance(a, b string) int {
	a, b = a[:min(len(a), 256)], b[:min(len(b), 256)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
