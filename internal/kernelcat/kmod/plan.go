package kmod

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"banger/internal/model"
)

// maxPlan is how many modules a plan may hold; a real one has some twenty.
const maxPlan = 256

// Module is one module file to be loaded.
type Module struct {
	Name    string `json:"name"`
	Path    string `json:"path"`    // below the tree's directory
	Digest  string `json:"digest"`  // sha256 of the plain bytes, hex
	Release string `json:"release"` // of the kernel that it was built for
}

// Plan is what is to be loaded.
type Plan struct {
	Load    []Module // in order: each comes after all that it needs
	Missing []string // wanted, but neither a module here nor built in
}

// Plan works out how to load the wanted modules. Those that are built in need
// nothing. Without modules.builtin all that is no module counts as built in.
// A module that needs one that is missing is CodeInvalid.
func (t *Tree) Plan(wanted []string) (Plan, error) {
	p := planner{tree: t, seen: map[string]struct{}{}}
	for _, name := range wanted {
		name = normalize(name)
		if _, ok := t.paths[name]; !ok && !t.isBuiltin(name) {
			p.plan.Missing = append(p.plan.Missing, name)
			continue
		}
		if err := p.add(name, ""); err != nil {
			return Plan{}, err
		}
	}
	return p.plan, nil
}

// Sample returns the tree's first module by name, for trees from which
// nothing is wanted; ok is false when there are none.
func (t *Tree) Sample() (m Module, ok bool, err error) {
	first := ""
	for name := range t.paths {
		if first == "" || name < first {
			first = name
		}
	}
	if first == "" {
		return Module{}, false, nil
	}
	m, _, err = t.module(first)
	return m, err == nil, err
}

func (t *Tree) isBuiltin(name string) bool {
	if t.builtin == nil {
		return true
	}
	_, ok := t.builtin[name]
	return ok
}

// planner adds modules depth first. A module is marked before what it needs
// is added, so that circles end.
type planner struct {
	tree *Tree
	seen map[string]struct{}
	plan Plan
}

// add adds the module called name, which the module called by needs.
func (p *planner) add(name, by string) error {
	if _, ok := p.seen[name]; ok {
		return nil
	}
	if len(p.seen) >= maxPlan {
		return model.Errorf(model.CodeLimit, "module %s: more than %d modules are needed", by, maxPlan)
	}
	p.seen[name] = struct{}{}
	if _, ok := p.tree.paths[name]; !ok {
		if p.tree.isBuiltin(name) {
			return nil
		}
		return model.Errorf(model.CodeInvalid, "module %s needs %s, which is not among the modules", by, name)
	}
	m, needs, err := p.tree.module(name)
	if err != nil {
		return err
	}
	for _, need := range needs {
		if err := p.add(need, name); err != nil {
			return err
		}
	}
	p.plan.Load = append(p.plan.Load, m)
	return nil
}

// module reads one module's file and what it needs.
func (t *Tree) module(name string) (Module, []string, error) {
	path := t.paths[name]
	ko, err := t.Read(path)
	if err != nil {
		return Module{}, nil, err
	}
	info, err := ParseInfo(ko)
	if err != nil {
		return Module{}, nil, fmt.Errorf("reading module %s: %w", path, err)
	}
	return Module{Name: name, Path: path, Digest: Digest(ko), Release: info.Release}, info.Depends, nil
}

// Digest returns what Module.Digest is for the plain bytes of a module.
func Digest(ko []byte) string {
	sum := sha256.Sum256(ko)
	return hex.EncodeToString(sum[:])
}
