package dockerfile

import (
	"errors"
	"fmt"
	"strings"
)

// Lookup returns the value of a variable and whether it is set.
type Lookup func(name string) (string, bool)

// maxExpanded bounds a word that variables were expanded in, in bytes.
const maxExpanded = 1 << 20

// maxNesting bounds ${a:-${b:-...}}.
const maxNesting = 32

// Expand expands the variables of text and removes its quotes and escapes.
func Expand(text string, escape byte, lookup Lookup) (string, error) {
	words, err := expandWords(text, escape, lookup, false)
	return strings.Join(words, ""), err
}

// Words is Expand for text of several words, between blanks that are not
// quoted. Blanks in the value of a variable part no words.
func Words(text string, escape byte, lookup Lookup) ([]string, error) {
	return expandWords(text, escape, lookup, true)
}

// Words returns the words of an instruction, with their variables expanded, in
// the form with brackets too.
func (i Instruction) Words(escape byte, lookup Lookup) ([]string, error) {
	if !i.Exec {
		return Words(i.Text, escape, lookup)
	}
	var words []string
	for _, w := range i.JSON {
		word, err := Expand(w, escape, lookup)
		if err != nil {
			return nil, err
		}
		words = append(words, word)
	}
	return words, nil
}

func expandWords(text string, escape byte, lookup Lookup, split bool) ([]string, error) {
	e := &expander{text: text, escape: escape, lookup: lookup, split: split}
	for e.pos < len(e.text) {
		if err := e.step(); err != nil {
			return nil, err
		}
	}
	if e.quote != 0 {
		return nil, fmt.Errorf("the quote %c has no end", e.quote)
	}
	e.end()
	return e.words, nil
}

// expander is the state of one pass over a text.
type expander struct {
	text   string
	pos    int
	escape byte
	lookup Lookup
	split  bool
	depth  int

	quote byte // that is open, or 0
	word  strings.Builder
	begun bool // a word may be empty: ""
	words []string
}

func (e *expander) end() {
	if e.begun {
		e.words = append(e.words, e.word.String())
	}
	e.word.Reset()
	e.begun = false
}

func (e *expander) put(s string) { e.word.WriteString(s); e.begun = true }

// step takes one character, escape or variable.
func (e *expander) step() error {
	c := e.text[e.pos]
	e.pos++
	switch {
	case e.quote == '\'' && c != '\'':
		e.put(string([]byte{c}))
	case c == '\'' && e.quote != '"' || c == '"':
		e.toggle(c)
	case c == e.escape:
		e.escaped()
	case c == '$':
		value, err := e.variable()
		if err != nil {
			return err
		}
		if e.word.Len()+len(value) > maxExpanded {
			return errors.New("the variables make too much text")
		}
		e.put(value)
	case e.split && e.quote == 0 && (c == ' ' || c == '\t'):
		e.end()
	default:
		e.put(string([]byte{c}))
	}
	return nil
}

func (e *expander) toggle(c byte) {
	e.begun = true
	if e.quote == c {
		e.quote = 0
	} else {
		e.quote = c
	}
}

// escaped takes what stands after the escape character. Between double quotes
// it is one only before what has a meaning there.
func (e *expander) escaped() {
	if e.pos == len(e.text) {
		e.put(string([]byte{e.escape}))
		return
	}
	c := e.text[e.pos]
	e.pos++
	if e.quote == '"' && c != '"' && c != '$' && c != e.escape {
		e.put(string([]byte{e.escape}))
	}
	e.put(string([]byte{c}))
}

// variable expands what stands after a $.
func (e *expander) variable() (string, error) {
	if e.pos < len(e.text) && e.text[e.pos] == '{' {
		e.pos++
		return e.braced()
	}
	name := e.name()
	if name == "" {
		return "$", nil
	}
	value, _ := e.lookup(name)
	return value, nil
}

// name takes the name of a variable.
func (e *expander) name() string {
	start := e.pos
	for e.pos < len(e.text) && isNameByte(e.text[e.pos], e.pos > start) {
		e.pos++
	}
	return e.text[start:e.pos]
}

func isNameByte(c byte, digits bool) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || digits && c >= '0' && c <= '9'
}

// braced expands ${NAME}, ${NAME:-WORD}, ${NAME:+WORD}, ${NAME:?WORD} and the
// same without the colon, which take an empty variable as set.
func (e *expander) braced() (string, error) {
	name := e.name()
	body, err := e.body()
	if err != nil || name == "" {
		return "", errors.Join(err, unlessNamed(name))
	}
	value, set := e.lookup(name)
	if body == "" {
		return value, nil
	}
	if rest, colon := strings.CutPrefix(body, ":"); colon {
		set, body = set && value != "", rest
	}
	if body == "" || !strings.ContainsRune("-+?", rune(body[0])) {
		return "", fmt.Errorf("${%s...}: only :-, :+, :?, -, + and ? are supported after a name", name)
	}
	return e.choose(name, value, body, set)
}

func unlessNamed(name string) error {
	if name == "" {
		return errors.New("${: a name is wanted")
	}
	return nil
}

// choose takes the value of a variable or the word after the operator.
func (e *expander) choose(name, value, body string, set bool) (string, error) {
	if set != (body[0] == '+') {
		return value, nil // "" of one that is not set, with +
	}
	if e.depth >= maxNesting {
		return "", errors.New("variables are nested too deeply")
	}
	inner := &expander{text: body[1:], escape: e.escape, lookup: e.lookup, depth: e.depth + 1}
	for inner.pos < len(inner.text) {
		if err := inner.step(); err != nil {
			return "", err
		}
	}
	word := inner.word.String()
	if body[0] == '?' {
		return "", fmt.Errorf("%s is not set: %s", name, word)
	}
	return word, nil
}

// body takes all up to the brace that ends a variable.
func (e *expander) body() (string, error) {
	start := e.pos
	for depth := 1; e.pos < len(e.text); e.pos++ {
		switch e.text[e.pos] {
		case e.escape:
			e.pos++
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				e.pos++
				return e.text[start : e.pos-1], nil
			}
		}
	}
	e.pos = len(e.text)
	return "", errors.New("${ has no }")
}
