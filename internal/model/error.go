package model

import (
	"errors"
	"fmt"
)

// Code classes an error for machines: HTTP statuses and exit codes are
// derived from it, and nothing else is.
type Code string

// The codes. Each has one HTTP status (package rpc) and one exit code
// (cmd/banger); docs/ERRORS.md lists what a user can do about each.
const (
	CodeInvalid      Code = "invalid"      // the request can never be right
	CodeNotFound     Code = "not_found"    // the object named does not exist
	CodeConflict     Code = "conflict"     // the object is in another state or the name is taken
	CodeUnauthorized Code = "unauthorized" // a registry or the daemon refused the caller
	CodeUnreachable  Code = "unreachable"  // a registry, source or the daemon did not answer
	CodeNoSpace      Code = "no_space"     // a disk or quota is full
	CodeUnsupported  Code = "unsupported"  // understood, but this build or host cannot do it
	CodeIntegrity    Code = "integrity"    // bytes are not what their digest or format says
	CodeLimit        Code = "limit"        // a cap was reached; the message names it and its setting
	CodeTimeout      Code = "timeout"      // a deadline passed
	CodeCanceled     Code = "canceled"     // the caller went away or said stop
	CodeBoot         Code = "boot"         // a guest did not come up or went away
	CodeFailed       Code = "failed"       // what the user has banger run ended with an error
	CodeInternal     Code = "internal"     // a fault of banger
)

// Error is what a user is told: what was being done to what, and the next
// command to type.
type Error struct {
	Code Code   `json:"code"`
	Msg  string `json:"message"`
	Hint string `json:"hint,omitempty"`
	// Err is the cause. It is part of Msg already and never crosses the socket.
	Err error `json:"-"`
}

// Error returns the message alone; the hint is printed on its own line.
func (e *Error) Error() string { return e.Msg }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error of code. A %w verb keeps its operand as the cause;
// the cause's hint is kept when there is one.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Msg: err.Error(), Hint: HintOf(errors.Unwrap(err)), Err: errors.Unwrap(err)}
}

// Unwritable is the error of one of banger's directories in which something
// cannot be made.
func Unwritable(dir, doing string, err error) *Error {
	return Errorf(CodeInternal, "%s: %w", doing, err).
		WithHint("it must be possible to write to %s; or set BANGER_HOME to another directory", dir)
}

// WithHint returns a copy of e with the hint: one sentence that names the
// next command.
func (e *Error) WithHint(format string, args ...any) *Error {
	c := *e
	c.Hint = fmt.Sprintf(format, args...)
	return &c
}

// CodeOf returns the code of the outermost Error in err's chain;
// CodeInternal when there is none, "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return CodeInternal
}

// HintOf returns the first hint in err's chain, or "".
func HintOf(err error) string {
	for err != nil {
		var e *Error
		if !errors.As(err, &e) {
			return ""
		}
		if e.Hint != "" {
			return e.Hint
		}
		err = e.Err
	}
	return ""
}
