package provision

import (
	"regexp"
	"slices"
	"strings"

	"banger/internal/model"
)

// When is the moment of a build at which a hook runs.
type When string

// The moments, in order.
const (
	BeforePackages When = "before-packages"
	AfterPackages  When = "after-packages"
	AfterTools     When = "after-tools"
	AfterScript    When = "after-script"
)

// Whens returns the moments in order.
func Whens() []When { return []When{BeforePackages, AfterPackages, AfterTools, AfterScript} }

// Bounds of what a build may be asked for.
const (
	MaxScript   = 256 << 10 // bytes of all scripts together
	MaxPackages = 1024
	MaxHooks    = 64
	maxWord     = 256 // bytes of a package's or a script's name
)

// Wishes is what a user wants to be done.
type Wishes struct {
	Packages []string
	Tools    []string // names of Tools
	Hooks    []Hook
	Script   string // "": none
	// ScriptName is what the script is called when it fails.
	ScriptName string
}

// Hook is a script that runs at some moment of a build.
type Hook struct {
	When   When
	Name   string // what it is called when it fails
	Script string
}

// Step is one script of a build.
type Step struct {
	Name   string // as the user knows it: packages, script setup.sh, ...
	Script string
	Own    bool // the user's: a failure is told with its line
}

// Plan checks what is wanted and returns the steps to it, in order.
func Plan(w Wishes) ([]Step, error) {
	if err := w.check(); err != nil {
		return nil, err
	}
	var steps []Step
	add := func(name, script string) {
		if script != "" {
			steps = append(steps, Step{Name: name, Script: script})
		}
	}
	steps = w.hooks(steps, BeforePackages)
	add("packages", BuildProvisionScript(w.Packages))
	steps = w.hooks(steps, AfterPackages)
	for _, name := range w.Tools {
		add("tool "+name, toolScript(name))
	}
	steps = w.hooks(steps, AfterTools)
	if w.Script != "" {
		steps = append(steps, Step{Name: "script " + w.ScriptName, Script: w.Script, Own: true})
	}
	return w.hooks(steps, AfterScript), nil
}

func (w Wishes) hooks(steps []Step, when When) []Step {
	for _, h := range w.Hooks {
		if h.When == when {
			steps = append(steps, Step{Name: string(when) + " hook " + h.Name, Script: h.Script, Own: true})
		}
	}
	return steps
}

// Fetches tells whether the guest has to download anything for it. What
// scripts do is not known.
func (w Wishes) Fetches() bool { return len(w.Packages)+len(w.Tools) > 0 }

// packageRE is what apt, apk and dnf take: a name, and a version or a release
// behind it (apt-get(8), apk(8), dnf(8)). It cannot begin like an option.
var packageRE = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9+._:=~^/-]*$`)

func (w Wishes) check() error {
	switch {
	case len(w.Packages) > MaxPackages:
		return model.Errorf(model.CodeInvalid, "%d packages are wanted: at most %d can be", len(w.Packages), MaxPackages)
	case len(w.Hooks) > MaxHooks:
		return model.Errorf(model.CodeInvalid, "%d hooks are wanted: at most %d can be", len(w.Hooks), MaxHooks)
	}
	for _, p := range w.Packages {
		if len(p) > maxWord || !packageRE.MatchString(p) {
			return model.Errorf(model.CodeInvalid, "package %.40q: that is no name of a package", p)
		}
	}
	for _, name := range w.Tools {
		if _, known := toolNamed(name); !known {
			return model.Errorf(model.CodeInvalid, "tool %.40q is not known", name).
				WithHint("those that are: %s", strings.Join(ToolNames(), ", "))
		}
	}
	total := len(w.Script)
	for _, h := range w.Hooks {
		total += len(h.Script)
		if !slices.Contains(Whens(), h.When) {
			return model.Errorf(model.CodeInvalid, "hook %.40q at %.40q: there is no such moment", h.Name, h.When).
				WithHint("the moments: before-packages, after-packages, after-tools, after-script")
		}
		if err := checkScript(h.Name, h.Script); err != nil {
			return err
		}
	}
	if total > MaxScript {
		return model.Errorf(model.CodeInvalid, "the scripts have %d bytes together: at most %d are run", total, MaxScript).
			WithHint("let the script fetch what is large")
	}
	return checkScript(w.ScriptName, w.Script)
}

func checkScript(name, script string) error {
	switch {
	case len(name) > maxWord:
		return model.Errorf(model.CodeInvalid, "the name of script %.40q... is longer than %d bytes", name, maxWord)
	case strings.IndexByte(script, 0) >= 0:
		return model.Errorf(model.CodeInvalid, "script %q has a zero byte: it is no text", name)
	}
	return nil
}
