package dockerfile

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"banger/internal/model"
)

// State is what the instructions of a stage have made so far, but for files.
type State struct {
	Config model.ImageConfig
	Args   map[string]string // ARGs that have a value
	Shell  []string          // of the shell form
	hasCmd bool              // CMD stands in this stage
}

// DefaultShell runs commands in the shell form.
func DefaultShell() []string { return []string{"/bin/sh", "-c"} }

// NewState begins a stage on an image's configuration.
func NewState(base model.ImageConfig) State {
	return State{Config: base, Args: map[string]string{}, Shell: DefaultShell()}
}

// Lookup finds a variable: ENV goes before ARG.
func (s *State) Lookup(name string) (string, bool) {
	for _, kv := range slices.Backward(s.Config.Env) {
		if k, v, _ := strings.Cut(kv, "="); k == name {
			return v, true
		}
	}
	v, found := s.Args[name]
	return v, found
}

// Apply applies an instruction that changes no files. WORKDIR is one of them:
// the directory is made by who needs it. given are the values of build
// arguments, global those that ARG gave before the first FROM.
func (s *State) Apply(in Instruction, escape byte, given, global map[string]string) error {
	s.Config.Env, s.Config.Labels = slices.Clone(s.Config.Env), maps.Clone(s.Config.Labels)
	if err := s.apply(in, escape, given, global); err != nil {
		return fail(in.Line, "%s: %w", in.Name, err)
	}
	return nil
}

func (s *State) apply(in Instruction, escape byte, given, global map[string]string) error {
	switch in.Name {
	case "ARG":
		return s.arg(in, escape, given, global)
	case "ENV":
		return s.pairs(in, escape, s.setEnv)
	case "LABEL":
		return s.pairs(in, escape, s.setLabel)
	case "CMD":
		s.Config.Cmd, s.hasCmd = s.Command(in), true
	case "ENTRYPOINT":
		s.Config.Entrypoint = s.Command(in)
		if !s.hasCmd { // the base's was for another program
			s.Config.Cmd = nil
		}
	case "SHELL":
		s.Shell = in.JSON
	case "WORKDIR", "USER":
		return s.word(in, escape)
	case "EXPOSE", "VOLUME":
		return s.list(in, escape)
	default:
		return fmt.Errorf("it changes more than the configuration")
	}
	return nil
}

// Command returns the argument vector of a RUN, CMD or ENTRYPOINT.
func (s *State) Command(in Instruction) []string {
	switch {
	case in.Exec:
		return slices.Clone(in.JSON)
	case len(in.Documents) > 0:
		return s.runScript(in)
	}
	return append(slices.Clone(s.Shell), in.Text)
}

// arg declares a build argument: a given value goes before the default.
func (s *State) arg(in Instruction, escape byte, given, global map[string]string) error {
	words, err := Words(in.Text, escape, s.Lookup)
	if err != nil {
		return err
	}
	for _, w := range words {
		key, value, has := strings.Cut(w, "=")
		if key == "" {
			return fmt.Errorf("NAME or NAME=VALUE is wanted")
		}
		if v, found := given[key]; found {
			value, has = v, true
		} else if v, found := global[key]; found && !has {
			value, has = v, true
		}
		if has {
			s.Args[key] = value
		}
	}
	return nil
}

// pairs reads KEY=VALUE ..., or the old form KEY VALUE.
func (s *State) pairs(in Instruction, escape byte, set func(key, value string)) error {
	before := *s // all words see the variables as they were
	first, rest := firstWord(in.Text)
	if !strings.Contains(first, "=") {
		value, err := Expand(rest, escape, before.Lookup)
		if err != nil || value == "" && rest == "" {
			return orElse(err, "KEY=VALUE is wanted")
		}
		set(first, value)
		return nil
	}
	words, err := Words(in.Text, escape, before.Lookup)
	if err != nil {
		return err
	}
	for _, w := range words {
		key, value, found := strings.Cut(w, "=")
		if !found || key == "" {
			return fmt.Errorf("%q: KEY=VALUE is wanted", w)
		}
		set(key, value)
	}
	return nil
}

func orElse(err error, text string) error {
	if err == nil {
		err = fmt.Errorf("%s", text)
	}
	return err
}

func (s *State) setEnv(key, value string) {
	env := slices.Clone(s.Config.Env)
	for i, kv := range env {
		if k, _, _ := strings.Cut(kv, "="); k == key {
			env[i] = key + "=" + value
			s.Config.Env = env
			return
		}
	}
	s.Config.Env = append(env, key+"="+value)
}

func (s *State) setLabel(key, value string) {
	if s.Config.Labels == nil {
		s.Config.Labels = map[string]string{}
	}
	s.Config.Labels[key] = value
}

// word applies an instruction of one word.
func (s *State) word(in Instruction, escape byte) error {
	value, err := Expand(in.Text, escape, s.Lookup)
	switch {
	case err != nil:
		return err
	case value == "":
		return fmt.Errorf("there is nothing after its variables are expanded")
	case in.Name == "USER":
		s.Config.User = value
	default:
		s.Config.WorkingDir = s.Absolute(value)
	}
	return nil
}

// Absolute makes a path absolute, from the working directory on.
func (s *State) Absolute(name string) string {
	if path.IsAbs(name) {
		return path.Clean(name)
	}
	return path.Join("/", s.Config.WorkingDir, name)
}

// list applies an instruction of several words.
func (s *State) list(in Instruction, escape byte) error {
	words, err := in.Words(escape, s.Lookup)
	if err != nil {
		return err
	}
	for _, w := range words {
		if in.Name == "VOLUME" {
			s.Config.Volumes = with(s.Config.Volumes, w)
			continue
		}
		port, err := exposed(w)
		if err != nil {
			return err
		}
		s.Config.ExposedPorts = with(s.Config.ExposedPorts, port)
	}
	return nil
}

// exposed checks PORT[/PROTOCOL] and completes it.
func exposed(w string) (string, error) {
	number, protocol, found := strings.Cut(w, "/")
	if !found {
		protocol = "tcp"
	}
	low, high, isRange := strings.Cut(number, "-")
	if !isRange {
		high = low
	}
	for _, n := range []string{low, high} {
		if _, err := strconv.ParseUint(n, 10, 16); err != nil {
			return "", fmt.Errorf("%q is no port", w)
		}
	}
	if protocol = strings.ToLower(protocol); protocol != "tcp" && protocol != "udp" && protocol != "sctp" {
		return "", fmt.Errorf("%q: tcp, udp or sctp is wanted", w)
	}
	return number + "/" + protocol, nil
}

func with(list []string, word string) []string {
	if slices.Contains(list, word) {
		return list
	}
	return append(slices.Clone(list), word)
}
