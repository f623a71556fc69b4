package kmod

import (
	"bytes"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// Index gathers what depmod(8) writes of modules, as text: modules.dep,
// modules.alias and modules.devname (modules.dep(5)).
type Index struct {
	paths   map[string]string   // by name, in the tree
	depends map[string][]string // names, by name
	aliases map[string][]string // by name
}

// Add takes a module that is at path in its tree; ko are its plain bytes. It
// returns the path without the ending of a compression.
func (x *Index) Add(at string, ko []byte) (plain string, err error) {
	name, _ := ModuleName(at)
	info, err := ParseInfo(ko)
	if err != nil {
		return "", err
	}
	if x.paths == nil {
		x.paths, x.depends, x.aliases = map[string]string{}, map[string][]string{}, map[string][]string{}
	}
	base, _, _ := strings.Cut(path.Base(at), ".ko")
	plain = path.Join(path.Dir(at), base+".ko")
	x.paths[name], x.depends[name], x.aliases[name] = plain, info.Depends, info.Aliases
	return plain, nil
}

// Files returns the files by name.
func (x *Index) Files() map[string][]byte {
	var dep, alias, dev bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(x.paths)) {
		fmt.Fprintf(&dep, "%s:", x.paths[name])
		for _, need := range x.needs(name) {
			fmt.Fprintf(&dep, " %s", x.paths[need])
		}
		dep.WriteByte('\n')
		for _, a := range x.aliases[name] {
			if !strings.HasPrefix(a, "devname:") {
				fmt.Fprintf(&alias, "alias %s %s\n", a, name)
			}
		}
		if line := devname(name, x.aliases[name]); line != "" {
			dev.WriteString(line)
		}
	}
	return map[string][]byte{"modules.dep": dep.Bytes(), "modules.alias": alias.Bytes(), "modules.devname": dev.Bytes()}
}

// needs returns all that a module needs, what is to be loaded first last, as
// modules.dep has it. Modules that are built in are not listed.
func (x *Index) needs(name string) []string {
	seen, order := map[string]bool{name: true}, []string(nil)
	var add func(string)
	add = func(of string) {
		for _, need := range x.depends[of] {
			if x.paths[need] == "" || seen[need] {
				continue
			}
			seen[need] = true
			add(need)
			order = append(order, need)
		}
	}
	add(name)
	slices.Reverse(order)
	return order
}

// devname returns the line of a module that names its device node; "" when it
// has none.
func devname(name string, aliases []string) string {
	node, number := "", ""
	for _, a := range aliases {
		if v, ok := strings.CutPrefix(a, "devname:"); ok {
			node = v
		}
		for prefix, kind := range map[string]string{"char-major-": "c", "block-major-": "b"} {
			if v, ok := strings.CutPrefix(a, prefix); ok && !strings.Contains(v, "*") {
				number = kind + strings.Replace(v, "-", ":", 1)
			}
		}
	}
	if node == "" || number == "" {
		return ""
	}
	return fmt.Sprintf("%s %s %s\n", name, node, number)
}
