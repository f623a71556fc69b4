package model

import (
	"path"
	"strings"
	"time"
)

// Event is one thing that happened: a VM has another state, an operation
// begins or ends.
type Event struct {
	At     time.Time `json:"at"`
	Noun   string    `json:"noun" doc:"what it happened to: vm or operation"`
	ID     string    `json:"id"`
	Name   string    `json:"name,omitempty" doc:"the VM's; of an operation that of what it works on"`
	Action string    `json:"action" doc:"the new state, or: renamed, set, kernel-fallback, deleted"`
	Kind   string    `json:"kind,omitempty" doc:"of an operation: vm.start, image.pull, ..."`
	Detail string    `json:"detail,omitempty" doc:"why, in one text for people"`
}

// Nouns of events.
const (
	EventVM        = "vm"
	EventOperation = "operation"
)

// EventFilter picks events. Conditions of one key are alternatives; those of
// different keys must all hold. The zero value picks all.
type EventFilter struct {
	byKey map[string][]string
}

// ParseEventFilter reads conditions of the form KEY=VALUE. The keys are noun,
// id (a prefix), name (a pattern), action and kind.
func ParseEventFilter(conditions []string) (EventFilter, error) {
	f := EventFilter{byKey: map[string][]string{}}
	for _, c := range conditions {
		key, value, err := splitCondition(c)
		if err != nil {
			return f, err
		}
		switch key {
		case "noun", "id", "action", "kind":
		case "name":
			if _, err := path.Match(value, ""); err != nil {
				return f, badPattern(c)
			}
		default:
			return f, unknownKey(c, key, "noun, id, name, action and kind")
		}
		f.byKey[key] = append(f.byKey[key], value)
	}
	return f, nil
}

// Match reports whether the filter picks e.
func (f EventFilter) Match(e Event) bool {
	for key, values := range f.byKey {
		if !anyOf(values, func(v string) bool { return e.has(key, v) }) {
			return false
		}
	}
	return true
}

func (e Event) has(key, value string) bool {
	switch key {
	case "noun":
		return e.Noun == value
	case "id":
		return strings.HasPrefix(e.ID, value)
	case "name":
		ok, _ := path.Match(value, e.Name) // the pattern was tried when it was parsed
		return ok
	case "action":
		return e.Action == value
	default:
		return e.Kind == value
	}
}
