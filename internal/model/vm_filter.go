package model

import (
	"path"
	"slices"
	"strings"
	"time"
)

// VMFilter picks VMs by what a list shows of them. All labels must be there;
// of the other keys conditions of one key are alternatives and those of
// different keys must all hold. The zero value picks all.
type VMFilter struct {
	byKey  map[string][]string
	labels []string
	until  time.Time
}

// ParseVMFilter reads conditions of the form KEY=VALUE. The keys are:
//
//	state  one of the states
//	label  KEY, or KEY=VALUE
//	image  name, or prefix of the id
//	name   a pattern of path.Match: web-*
//	id     a prefix
//	until  created before that long ago (24h) or that time (RFC 3339)
func ParseVMFilter(conditions []string, now time.Time) (VMFilter, error) {
	f := VMFilter{byKey: map[string][]string{}}
	for _, c := range conditions {
		if err := f.add(c, now); err != nil {
			return VMFilter{}, err
		}
	}
	return f, nil
}

func (f *VMFilter) add(condition string, now time.Time) error {
	key, value, err := splitCondition(condition)
	if err != nil {
		return err
	}
	switch key {
	case "label":
		f.labels = append(f.labels, value)
		return nil
	case "until":
		f.until, err = ParseSince(value, now)
		return err
	case "state":
		if !slices.Contains(vmStates(), VMState(value)) {
			return Errorf(CodeInvalid, "filter %q: there is no state %q", condition, value).
				WithHint("the states are %s", joinStates(vmStates()))
		}
	case "name":
		if _, err := path.Match(value, ""); err != nil {
			return badPattern(condition)
		}
	case "image", "id":
	default:
		return unknownKey(condition, key, "state, label, image, name, id and until")
	}
	f.byKey[key] = append(f.byKey[key], value)
	return nil
}

// Match reports whether the filter picks a VM.
func (f VMFilter) Match(vm VMSummary) bool {
	if !f.until.IsZero() && !vm.CreatedAt.Before(f.until) {
		return false
	}
	for _, label := range f.labels {
		key, value, exact := strings.Cut(label, "=")
		if got, ok := vm.Labels[key]; !ok || exact && got != value {
			return false
		}
	}
	for key, values := range f.byKey {
		if !anyOf(values, func(v string) bool { return vm.has(key, v) }) {
			return false
		}
	}
	return true
}

func (vm *VMSummary) has(key, value string) bool {
	switch key {
	case "state":
		return string(vm.State) == value
	case "image":
		return vm.Image == value || value != "" && strings.HasPrefix(vm.ImageID, value)
	case "name":
		ok, _ := path.Match(value, vm.Name) // the pattern was tried when it was parsed
		return ok
	default:
		return strings.HasPrefix(vm.ID, value)
	}
}

func vmStates() []VMState {
	return []VMState{VMCreating, VMStopped, VMStarting, VMRunning, VMPaused, VMStopping, VMFailed, VMDeleting, VMUnknown}
}

func joinStates(states []VMState) string {
	words := make([]string, len(states))
	for i, s := range states {
		words[i] = string(s)
	}
	return strings.Join(words, ", ")
}

// ParseSince reads a moment: a duration before now (90s, 24h), or a time of
// RFC 3339 with or without the time of day.
func ParseSince(s string, now time.Time) (time.Time, error) {
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, Errorf(CodeInvalid, "%q is no moment", s).
		WithHint("say how long ago (90s, 24h) or when (2026-03-01, 2026-03-01T12:00:00Z)")
}

// maxCondition bounds a condition of a filter in bytes.
const maxCondition = 1024

func splitCondition(condition string) (key, value string, err error) {
	key, value, ok := strings.Cut(condition, "=")
	if !ok || key == "" || value == "" || len(condition) > maxCondition {
		return "", "", Errorf(CodeInvalid, "filter %.80q: want KEY=VALUE", condition)
	}
	return key, value, nil
}

func unknownKey(condition, key, known string) error {
	return Errorf(CodeInvalid, "filter %q: there is no key %q", condition, key).WithHint("the keys are %s", known)
}

func badPattern(condition string) error {
	return Errorf(CodeInvalid, "filter %q: the pattern is malformed", condition).WithHint("* ? and [a-z] are understood")
}

func anyOf(values []string, ok func(string) bool) bool { return slices.ContainsFunc(values, ok) }
