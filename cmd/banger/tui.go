package main

// Everything that banger says to a person passes this file. Its rules:
//
//   - results go to standard output, talk goes to standard error
//   - talk is one of "banger: <error>", "hint: <next command>", "note: <fact>"
//   - no capital initial, no period at the end
//   - names and values that were typed are quoted with %q
//   - a hint is one line and names the next command to type
//   - no colour and no emoji, so NO_COLOR holds by construction
//   - text from outside (images, registries, guests, errors that quote them)
//     passes printable or printableLines, so that it cannot move the cursor,
//     change its colour or reverse its direction
//
// With --json an error is one JSON object and nothing else is said.

import (
	"errors"
	"fmt"
	"strings"

	"banger/internal/model"
)

// complain tells the user of err, unless it has been told already.
func (a *app) complain(err error, asJSON bool) {
	var seen *reported
	var process *processExit
	switch {
	case err == nil || errors.As(err, &seen):
		return
	case errors.As(err, &process) && process.why == "":
		return
	}
	e := &model.Error{Code: codeOf(err), Msg: err.Error(), Hint: model.HintOf(err)}
	if asJSON {
		_ = writeJSON(a.stderr, e, false)
		return
	}
	fmt.Fprintf(a.stderr, "banger: %s\n", printableLines(e.Msg))
	if e.Hint != "" {
		fmt.Fprintf(a.stderr, "hint: %s\n", printable(e.Hint))
	}
}

// say prints a line of talk that is no error.
func (a *app) say(text string) { fmt.Fprintln(a.stderr, "banger: "+printable(text)) }

// note is a line of talk that is no error.
func note(text string) string { return "note: " + printable(text) }

// usageError is an error of the command line of the command at path.
func usageError(path, format string, args ...any) *model.Error {
	return model.Errorf(model.CodeInvalid, format, args...).WithHint("%s --help", path)
}

// didYouMean turns suggestions into a hint.
func didYouMean(suggestions ...string) string {
	return "did you mean " + strings.Join(suggestions, " or ") + "?"
}
