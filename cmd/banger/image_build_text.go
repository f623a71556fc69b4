package main

import (
	"errors"
	"io"
	"io/fs"
	"unicode/utf8"

	"banger/internal/model"
)

// maxBuildText bounds a script or Dockerfile in bytes, as the daemon does.
const maxBuildText = 256 << 10

// readText reads a script or Dockerfile, as what says, which may not be empty,
// from a file or, as "-", from standard input. path is the command's.
func (a *app) readText(path, what, name string) (string, error) {
	read := a.readSmallFile
	if name == "-" {
		if isTerminal(a.stdin) {
			return "", usageError(path, "standard input is a terminal: a %s is wanted", what)
		}
		read = func(string) (string, error) {
			text, err := io.ReadAll(io.LimitReader(a.stdin, maxBuildText+1))
			return string(text), err
		}
	}
	text, err := read(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", model.Errorf(model.CodeNotFound, "reading %s %s: %w", what, name, err)
	case err != nil:
		return "", model.Errorf(model.CodeInvalid, "reading %s %s: %w", what, name, err)
	case text == "":
		return "", model.Errorf(model.CodeInvalid, "%s %s is empty", what, name)
	case !utf8.ValidString(text):
		return "", model.Errorf(model.CodeInvalid, "%s %s is not UTF-8 text", what, name)
	case len(text) > maxBuildText:
		return "", model.Errorf(model.CodeLimit, "%s %s has more than %s", what, name, formatSize(maxBuildText))
	}
	return text, nil
}
