package dockerfile

import (
	"regexp"
	"strings"
)

// Document is a here-document: what stands in the lines after an instruction.
type Document struct {
	Name string // that ends it
	Text string // with a newline at the end of each line
	dash bool   // <<-: tabs at the beginning of its lines are left out
}

var hereDoc = regexp.MustCompile(`^[0-9]*<<(-?)([^<]+)$`)

// documentsOf finds the here-documents that a command line begins, without
// their texts. Each is a word of its own, as the shell has words: not within
// quotes, $((1<<2)) or <<<.
func documentsOf(line string) []Document {
	var docs []Document
	for _, word := range shellWords(line) {
		m := hereDoc.FindStringSubmatch(word)
		if m == nil {
			continue
		}
		name := m[2]
		if end := strings.IndexAny(name, ";|&<>()"); end >= 0 {
			name = name[:end]
		}
		if name = strings.NewReplacer(`"`, "", `'`, "", `\`, "").Replace(name); name != "" {
			docs = append(docs, Document{Name: name, dash: m[1] != ""})
		}
	}
	return docs
}

// shellWords cuts a line at the blanks that are neither quoted nor escaped.
// Quotes and escapes stay.
func shellWords(line string) []string {
	var words []string
	var quote byte
	begin := -1
	for i := 0; i < len(line); i++ {
		c := line[i]
		blank := quote == 0 && (c == ' ' || c == '\t' || c == '\n')
		switch {
		case blank && begin >= 0:
			words, begin = append(words, line[begin:i]), -1
		case !blank && begin < 0:
			begin = i
		}
		switch {
		case c == '\\' && quote != '\'':
			i++
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case c == quote:
			quote = 0
		}
	}
	if begin >= 0 {
		words = append(words, line[begin:])
	}
	return words
}

// alone tells whether the command is nothing but a here-document, which is the
// script then.
func (i Instruction) alone() bool {
	return len(i.Documents) == 1 && hereDoc.MatchString(i.Text) && len(shellWords(i.Text)) == 1
}

// Script is what a shell is given of a RUN with here-documents: the document
// when nothing else stands there, else the command with its documents.
func (i Instruction) Script() string {
	if i.alone() {
		return i.Documents[0].Text
	}
	var b strings.Builder
	b.WriteString(i.Text)
	for _, d := range i.Documents {
		b.WriteString("\n" + d.Text + d.Name)
	}
	if len(i.Documents) > 0 {
		b.WriteString("\n")
	}
	return b.String()
}

// interpreted runs a script that names its interpreter (execve(2)), from a
// file in memory that no layer has.
const interpreted = `f=/dev/shm/run.$$; (umask 077; printf %s "$1" >"$f") && shift && exec "$@" "$f"`

// runScript is the argument vector of a RUN with here-documents.
func (s *State) runScript(in Instruction) []string {
	script := in.Script()
	line, _, _ := strings.Cut(script, "\n")
	program, found := strings.CutPrefix(line, "#!")
	program, argument := firstWord(strings.TrimSpace(program))
	if !in.alone() || !found || program == "" {
		return append(append([]string{}, s.Shell...), script)
	}
	argv := []string{"/bin/sh", "-c", interpreted, "sh", script, program}
	if argument != "" {
		argv = append(argv, argument)
	}
	return argv
}
