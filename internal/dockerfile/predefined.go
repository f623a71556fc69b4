package dockerfile

import (
	"maps"
	"slices"
	"strings"

	"banger/internal/model"
)

// PlatformArgs returns the arguments that every Dockerfile has before its
// first FROM, for a platform like linux/amd64 that is built on itself
// (Dockerfile reference, "Automatic platform ARGs in the global scope"). A
// stage sees those that it names in an ARG.
func PlatformArgs(platform, target string) map[string]string {
	system, rest, _ := strings.Cut(platform, "/")
	arch, variant, _ := strings.Cut(rest, "/")
	if target == "" {
		target = "default"
	}
	args := map[string]string{"TARGETSTAGE": target}
	for _, side := range []string{"TARGET", "BUILD"} {
		args[side+"PLATFORM"], args[side+"OS"], args[side+"ARCH"], args[side+"VARIANT"] = platform, system, arch, variant
	}
	return args
}

// IsProxy tells whether a build argument needs no ARG to be seen by a RUN
// (Dockerfile reference, "Predefined ARGs").
func IsProxy(name string) bool {
	switch strings.ToUpper(name) {
	case "HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "NO_PROXY", "ALL_PROXY":
		return name == strings.ToUpper(name) || name == strings.ToLower(name)
	}
	return false
}

// Unused returns the names of given build arguments that no ARG of the file
// declares, sorted.
func (f *File) Unused(given map[string]string) []string {
	left := maps.Clone(given)
	maps.DeleteFunc(left, func(name, _ string) bool { return IsProxy(name) })
	declare := func(in Instruction) {
		for word := range strings.FieldsSeq(in.Text) {
			name, _, _ := strings.Cut(word, "=")
			delete(left, name)
		}
	}
	for _, in := range f.Args {
		declare(in)
	}
	for _, st := range f.Stages {
		for _, in := range st.Instructions {
			if in.Name == "ARG" {
				declare(in)
			}
		}
	}
	return slices.Sorted(maps.Keys(left))
}

// Inherit begins a stage on another one: its configuration, shell and build
// arguments.
func (s *State) Inherit() State {
	next := NewState(s.Config)
	next.Args, next.Shell = maps.Clone(s.Args), slices.Clone(s.Shell)
	return next
}

// Begin is the state before the first FROM: of a file with the given
// arguments, which go before the predefined ones.
func (f *File) Begin(given map[string]string, platform, target string) (State, error) {
	head := NewState(model.ImageConfig{})
	head.Args = PlatformArgs(platform, target)
	for name := range head.Args {
		if v, found := given[name]; found {
			head.Args[name] = v
		}
	}
	for _, in := range f.Args {
		if err := head.Apply(in, f.Escape, given, nil); err != nil {
			return head, err
		}
	}
	return head, nil
}
