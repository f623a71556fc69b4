package dockerfile

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"banger/internal/model"
)

// Instruction is one instruction of a stage. Variables in it are not expanded.
type Instruction struct {
	Name  string // in capitals
	Line  int    // from 1
	Flags []Flag
	Text  string   // after the flags
	JSON  []string // of the form with brackets
	Exec  bool     // it has the form with brackets
	// Documents are the here-documents of a RUN.
	Documents []Document
}

// Flag is --Name=Value of an instruction.
type Flag struct{ Name, Value string }

// Flag returns the value of a flag, "" when it is not there.
func (i Instruction) Flag(name string) string {
	for _, f := range i.Flags {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}

// String is the instruction as the history of an image shows it.
func (i Instruction) String() string {
	words := []string{i.Name}
	for _, f := range i.Flags {
		words = append(words, strings.TrimSuffix("--"+f.Name+"="+f.Value, "="))
	}
	return strings.Join(append(words, i.Text), " ")
}

// Stage is what stands between one FROM and the next.
type Stage struct {
	From         Instruction
	Base         string // as it stands
	Name         string // after AS, in lower case, or ""
	Instructions []Instruction
}

// File is a Dockerfile.
type File struct {
	Escape byte          // \ or `
	Args   []Instruction // before the first FROM
	Stages []Stage       // at least one
}

// supported names the instructions and their flags. What link asks for, layers
// that depend on none below, changes no files.
var supported = map[string][]string{
	"FROM": {"platform"}, "RUN": {}, "COPY": {"from", "chown", "chmod", "link"}, "ADD": {"chown", "chmod", "link"},
	"ENV": {}, "ARG": {}, "WORKDIR": {}, "USER": {}, "ENTRYPOINT": {}, "CMD": {}, "LABEL": {},
	"EXPOSE": {}, "VOLUME": {}, "SHELL": {},
}

// Parse reads a Dockerfile. Errors are model.CodeInvalid, CodeUnsupported or
// CodeLimit, and name the line.
func Parse(text string) (*File, error) {
	s, err := newScanner(text)
	if err != nil {
		return nil, err
	}
	f := &File{Escape: s.escape}
	for n := 0; ; n++ {
		st, found, err := s.scan()
		if err != nil {
			return nil, err
		}
		if !found {
			break
		}
		if n >= maxInstructions {
			return nil, model.Errorf(model.CodeLimit, "the Dockerfile has more than %d instructions", maxInstructions)
		}
		if err := f.add(st); err != nil {
			return nil, err
		}
	}
	if len(f.Stages) == 0 {
		return nil, model.Errorf(model.CodeInvalid, "the Dockerfile has no FROM")
	}
	return f, nil
}

// add reads a statement into its stage.
func (f *File) add(st statement) error {
	in, err := parseInstruction(st)
	if err != nil {
		return err
	}
	switch {
	case in.Name == "FROM":
		return f.begin(in)
	case len(f.Stages) > 0:
		last := &f.Stages[len(f.Stages)-1]
		last.Instructions = append(last.Instructions, in)
	case in.Name == "ARG":
		f.Args = append(f.Args, in)
	default:
		return fail(in.Line, "%s stands before the first FROM", in.Name)
	}
	return nil
}

// begin opens a stage.
func (f *File) begin(in Instruction) error {
	words := strings.Fields(in.Text)
	stage := Stage{From: in}
	switch {
	case len(words) == 1:
	case len(words) == 3 && strings.EqualFold(words[1], "AS"):
		stage.Name = strings.ToLower(words[2])
	default:
		return fail(in.Line, "FROM IMAGE [AS NAME] is wanted")
	}
	stage.Base = words[0]
	if _, err := strconv.Atoi(stage.Name); err == nil {
		return fail(in.Line, "a stage cannot be named with the number %s", stage.Name)
	}
	if stage.Name != "" && f.stage(stage.Name, len(f.Stages)) >= 0 {
		return fail(in.Line, "a stage %s is there already", stage.Name)
	}
	f.Stages = append(f.Stages, stage)
	return nil
}

// firstWord cuts a text at its first blanks.
func firstWord(text string) (word, rest string) {
	end := strings.IndexAny(text, " \t")
	if end < 0 {
		return text, ""
	}
	return text[:end], strings.TrimLeft(text[end:], " \t")
}

func parseInstruction(st statement) (Instruction, error) {
	name, rest := firstWord(st.text)
	in := Instruction{Name: strings.ToUpper(name), Line: st.line, Documents: st.documents}
	flags, known := supported[in.Name]
	if !known {
		return in, unknown(in)
	}
	for strings.HasPrefix(rest, "--") {
		word := rest
		if end := strings.IndexAny(rest, " \t"); end >= 0 {
			word = rest[:end]
		}
		rest = strings.TrimLeft(rest[len(word):], " \t")
		key, value, _ := strings.Cut(word[2:], "=")
		if !slices.Contains(flags, key) {
			return in, model.Errorf(model.CodeUnsupported, "Dockerfile line %d: %s --%s is not supported", in.Line, in.Name, model.Printable(key)).WithHint(otherBuilder)
		}
		in.Flags = append(in.Flags, Flag{key, value})
	}
	in.Text = strings.TrimSpace(rest)
	if in.Text == "" {
		return in, fail(in.Line, "%s has nothing after it", in.Name)
	}
	if len(in.Documents) > 0 && in.Name != "RUN" {
		return in, model.Errorf(model.CodeUnsupported, "Dockerfile line %d: %s with a here-document is not supported", in.Line, in.Name).WithHint(otherBuilder)
	}
	in.readJSON()
	if in.Name == "SHELL" && (!in.Exec || len(in.JSON) == 0) {
		return in, fail(in.Line, `SHELL ["PROGRAM", "ARGUMENT"...] is wanted`)
	}
	return in, nil
}

// readJSON recognizes the form with brackets. What is no list of strings is
// a command for a shell.
func (i *Instruction) readJSON() {
	var words []string
	if strings.HasPrefix(i.Text, "[") && json.Unmarshal([]byte(i.Text), &words) == nil {
		i.JSON, i.Exec = words, true
	}
}

const otherBuilder = "leave it out, or let docker, podman or buildah build: banger image build --builder auto; what was built elsewhere: banger image import"

// unknown refuses an instruction.
func unknown(in Instruction) error {
	switch in.Name {
	case "ONBUILD", "HEALTHCHECK", "STOPSIGNAL", "MAINTAINER":
		return model.Errorf(model.CodeUnsupported, "Dockerfile line %d: %s is not supported", in.Line, in.Name).WithHint(otherBuilder)
	}
	return fail(in.Line, "%.40s is no instruction", model.Printable(in.Name))
}
