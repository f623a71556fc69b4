package failpoint

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"banger/internal/model"
)

// Set says what happens at which places. It is safe for concurrent use.
type Set struct{ byName map[string]*action }

// action is what one place does.
type action struct {
	verb  string // kill, error, delay or panic
	text  string
	wait  time.Duration
	left  atomic.Int64 // times that it still acts, when it is limited
	limit bool
}

// Parse reads a Set as it stands in BANGER_FAILPOINTS. An empty text is a nil
// Set, which does nothing. Names that are not of Names are CodeInvalid: a test
// of a place that is gone must not pass.
func Parse(text string) (*Set, error) {
	if text == "" {
		return nil, nil
	}
	known := Names()
	s := &Set{byName: map[string]*action{}}
	for entry := range strings.SplitSeq(text, ";") {
		name, what, ok := strings.Cut(entry, "=")
		if !ok || !slices.Contains(known, name) {
			return nil, model.Errorf(model.CodeInvalid, "BANGER_FAILPOINTS: %q names no fail point", entry).
				WithHint("NAME=ACTION is needed; internal/failpoint/names.go has the names")
		}
		a, err := parseAction(what)
		if err != nil {
			return nil, model.Errorf(model.CodeInvalid, "BANGER_FAILPOINTS: %q: %w", entry, err)
		}
		s.byName[name] = a
	}
	return s, nil
}

func parseAction(text string) (*action, error) {
	a := &action{}
	if count, rest, ok := strings.Cut(text, "*"); ok {
		n, err := strconv.ParseInt(count, 10, 32)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("the count %q is no number above 0", count)
		}
		a.limit, text = true, rest
		a.left.Store(n)
	}
	a.verb, a.text, _ = strings.Cut(text, ":")
	switch a.verb {
	case "kill", "error", "panic":
		return a, nil
	case "delay":
		var err error
		a.wait, err = time.ParseDuration(a.text)
		return a, err
	}
	return nil, fmt.Errorf("the action %q is none of kill, error, delay, panic", a.verb)
}

// due counts one passage and tells whether the action acts on it.
func (a *action) due() bool { return !a.limit || a.left.Add(-1) >= 0 }
