package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"banger/internal/model"
)

// The exit codes. This file is the only place that knows them.
const (
	exitOK          = 0
	exitError       = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitConflict    = 4
	exitUnreachable = 5
	exitTimeout     = 124
	exitOwn         = 125 // run and exec: banger's failure, not the process's
	exitNoExec      = 126
	exitNoCommand   = 127
	exitSignal      = 128
	exitCanceled    = exitSignal + 2
)

// exitOf maps an error's code to an exit code.
func exitOf(code model.Code) int {
	switch code {
	case "":
		return exitOK
	case model.CodeInvalid:
		return exitUsage
	case model.CodeNotFound:
		return exitNotFound
	case model.CodeConflict:
		return exitConflict
	case model.CodeUnreachable:
		return exitUnreachable
	case model.CodeTimeout:
		return exitTimeout
	case model.CodeCanceled:
		return exitCanceled
	default:
		return exitError
	}
}

// exitTable documents the codes, for help and docs.
func exitTable() []fact {
	row := func(code int, text string) fact { return fact{fmt.Sprint(code), text} }
	return []fact{
		row(exitOK, "it worked"),
		row(exitError, "an error that has no code of its own"),
		row(exitUsage, "the command line or a value in it can never be right"),
		row(exitNotFound, "the object named does not exist"),
		row(exitConflict, "the object is in another state, or the name is taken"),
		row(exitUnreachable, "the daemon, a registry or a kernel source did not answer"),
		row(exitTimeout, "a deadline passed"),
		row(exitOwn, "run and exec: banger itself failed, before or beside the process"),
		row(exitNoExec, "run and exec: the command was found and cannot be executed"),
		row(exitNoCommand, "run and exec: the command was not found in the VM"),
		row(exitCanceled, "interrupted (Ctrl-C)"),
		{"128+n", "run and exec: the process was ended by signal n"},
	}
}

// processExit carries the status of a process in a VM to the exit code.
type processExit struct {
	code int
	why  string // why the process could not be started; may be empty
}

func (e *processExit) Error() string { return e.why }

// reported carries the exit code of errors that the user has seen already.
type reported struct{ code int }

func (e *reported) Error() string { return fmt.Sprintf("exit status %d", e.code) }

// session marks the commands whose exit code is that of a process in a VM.
const session = "session"

func isSession(cmd *cobra.Command) bool { return cmd != nil && cmd.Annotations[session] != "" }

// exitCode is the exit code of cmd that ended with err.
func exitCode(cmd *cobra.Command, err error) int {
	var process *processExit
	var seen *reported
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &process):
		return process.code
	case errors.As(err, &seen):
		return seen.code
	case isSession(cmd):
		return exitOwn
	default:
		return exitOf(codeOf(err))
	}
}

// codeOf is model.CodeOf that knows the errors of contexts too.
func codeOf(err error) model.Code {
	code := model.CodeOf(err)
	switch {
	case code != model.CodeInternal:
		return code
	case errors.Is(err, context.Canceled):
		return model.CodeCanceled
	case errors.Is(err, context.DeadlineExceeded):
		return model.CodeTimeout
	default:
		return code
	}
}

// exitLine is the line of a command's help that tells its exit codes.
func exitLine(cmd *cobra.Command) string {
	if isSession(cmd) {
		return "Exit status: the process's own; 125 banger failed, 126 not executable, 127 not found,\n" +
			"128+n signal n. See: banger help exit-codes"
	}
	return "Exit status: 0 ok, 1 error, 2 usage, 3 not found, 4 conflict, 5 unreachable, 124 timeout.\n" +
		"See: banger help exit-codes"
}

// newExitCodesTopic is the help topic on exit codes.
func newExitCodesTopic() *cobra.Command {
	var text strings.Builder
	text.WriteString("Exit codes of banger:\n\n")
	for _, row := range exitTable() {
		fmt.Fprintf(&text, "  %-6s %s\n", row.name, row.value)
	}
	text.WriteString("\nrun and exec end with the exit code of the process in the VM. A command that takes\n" +
		"several names goes on after an error and ends with the highest code seen. With --json\n" +
		"an error is an object on standard error: {\"code\", \"message\", \"hint\"}.")
	return &cobra.Command{Use: "exit-codes", Short: "what the exit codes mean", Long: text.String()}
}
