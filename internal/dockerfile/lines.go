package dockerfile

import (
	"regexp"
	"strings"

	"banger/internal/model"
)

// Bounds of a Dockerfile.
const (
	maxText         = 1 << 20 // bytes
	maxInstructions = 4096
)

// statement is an instruction as it stands: continued lines are joined.
type statement struct {
	line      int // of its first line, from 1
	text      string
	documents []Document // that follow it
}

var directive = regexp.MustCompile(`^#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*$`)

// scanner cuts a text into statements.
type scanner struct {
	lines  []string
	next   int
	escape byte
}

// newScanner reads the directives at the head of a text.
func newScanner(text string) (*scanner, error) {
	if len(text) > maxText {
		return nil, model.Errorf(model.CodeLimit, "the Dockerfile has more than %d bytes", maxText)
	}
	if strings.IndexByte(text, 0) >= 0 {
		return nil, model.Errorf(model.CodeInvalid, "the Dockerfile has a zero byte: it is no text")
	}
	text = strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "\r\n", "\n")
	s := &scanner{lines: strings.Split(text, "\n"), escape: '\\'}
	for ; s.next < len(s.lines); s.next++ {
		m := directive.FindStringSubmatch(s.lines[s.next])
		if m == nil {
			break
		}
		switch strings.ToLower(m[1]) {
		case "escape":
			if m[2] != "\\" && m[2] != "`" {
				return nil, fail(s.next+1, "escape=%s: \\ or ` is wanted", model.Printable(m[2]))
			}
			s.escape = m[2][0]
		case "syntax", "check": // a frontend and its linter: this is another
		default:
			return s, nil // a comment
		}
	}
	return s, nil
}

// scan returns the next statement; false at the end.
func (s *scanner) scan() (statement, bool, error) {
	var parts []string
	start := 0
	for s.next < len(s.lines) {
		line := s.lines[s.next]
		s.next++
		trimmed := strings.TrimSpace(line)
		if trimmed == "" || trimmed[0] == '#' {
			continue // between continued lines too
		}
		if start == 0 {
			start = s.next
			line = strings.TrimLeft(line, " \t")
		}
		rest, more := s.continued(line)
		parts = append(parts, rest)
		if !more {
			break
		}
	}
	if start == 0 {
		return statement{}, false, nil
	}
	st := statement{line: start, text: strings.TrimSpace(strings.Join(parts, ""))}
	return st, true, s.readDocuments(&st)
}

// continued tells whether a line ends in one escape character (two are one to
// its reader), and returns what stands before it.
func (s *scanner) continued(line string) (string, bool) {
	trimmed := strings.TrimRight(line, " \t")
	escape := string(s.escape)
	if !strings.HasSuffix(trimmed, escape) || strings.HasSuffix(trimmed, escape+escape) {
		return line, false
	}
	return trimmed[:len(trimmed)-1], true
}

// readDocuments reads the here-documents that a RUN, COPY or ADD begins.
func (s *scanner) readDocuments(st *statement) error {
	name, rest := firstWord(st.text)
	if n := strings.ToUpper(name); n != "RUN" && n != "COPY" && n != "ADD" {
		return nil
	}
	st.documents = documentsOf(rest)
	for i := range st.documents {
		if err := s.readDocument(st.line, &st.documents[i]); err != nil {
			return err
		}
	}
	return nil
}

func (s *scanner) readDocument(at int, d *Document) error {
	var text strings.Builder
	for s.next < len(s.lines) {
		line := s.lines[s.next]
		s.next++
		if d.dash {
			line = strings.TrimLeft(line, "\t")
		}
		if line == d.Name {
			d.Text = text.String()
			return nil
		}
		text.WriteString(line + "\n")
	}
	return fail(at, "the here-document %s has no end", model.Printable(d.Name))
}

// fail is an error of a line.
func fail(line int, format string, args ...any) error {
	return model.Errorf(model.CodeInvalid, "Dockerfile line %d: "+format, append([]any{line}, args...)...)
}
