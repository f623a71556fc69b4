package main

import (
	"errors"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"banger/internal/model"
)

// flagError words an error of the flag parser: which flag, what is wrong, and
// the flag that was perhaps meant.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var missing *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	path := cmd.CommandPath()
	switch {
	case errors.As(err, &unknown):
		return unknownFlag(cmd, unknown.GetSpecifiedName(), unknown.GetSpecifiedShortnames() != "")
	case errors.As(err, &missing):
		return usageError(path, "--%s: a value is missing", missing.GetFlag().Name)
	case errors.As(err, &invalid):
		return usageError(path, "--%s %q: %v", invalid.GetFlag().Name, invalid.GetValue(), invalid.Unwrap())
	default:
		return usageError(path, "%w", err)
	}
}

func unknownFlag(cmd *cobra.Command, name string, short bool) error {
	if short {
		return usageError(cmd.CommandPath(), "unknown flag -%s", name)
	}
	e := usageError(cmd.CommandPath(), "unknown flag --%s", name)
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	if near := model.Nearest(name, names); len(near) > 0 {
		return e.WithHint("%s", didYouMean("--"+near[0]))
	}
	return e
}

// unknownCommand words a verb that does not exist.
func unknownCommand(cmd *cobra.Command, name string) error {
	path := cmd.CommandPath()
	e := usageError(path, "unknown command %q", path+" "+name)
	if elsewhere := dockerWord(name); elsewhere != "" && !cmd.HasParent() {
		return e.WithHint("%s", didYouMean("banger "+elsewhere))
	}
	near := model.Nearest(name, verbs(cmd))
	if len(near) == 0 {
		return e
	}
	for i := range near {
		near[i] = path + " " + near[i]
	}
	return e.WithHint("%s", didYouMean(near...))
}

// verbs are the names and aliases of the commands below cmd.
func verbs(cmd *cobra.Command) []string {
	var names []string
	for _, c := range cmd.Commands() {
		if !c.Hidden {
			names = append(append(names, c.Name()), c.Aliases...)
		}
	}
	return names
}

// dockerWord is what banger calls a verb that docker has at top level.
func dockerWord(name string) string {
	switch name {
	case "pull":
		return "image pull"
	case "rmi":
		return "image delete"
	case "shell", "ssh":
		return "exec -it VM -- sh"
	default:
		return ""
	}
}

// wantArgs checks the number of arguments; names words the missing ones.
func wantArgs(minimum, maximum int, names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < minimum:
			return usageError(cmd.CommandPath(), "%s is missing", names[len(args)])
		case maximum >= 0 && len(args) > maximum:
			return usageError(cmd.CommandPath(), "unexpected argument %q", args[maximum])
		}
		for i, arg := range args {
			if arg == "" {
				return usageError(cmd.CommandPath(), "%s is empty", names[min(i, len(names)-1)])
			}
		}
		return nil
	}
}

// noArgs refuses arguments.
func noArgs() cobra.PositionalArgs { return wantArgs(0, 0, "") }

// many takes one name or more.
func many(name string) cobra.PositionalArgs { return wantArgs(1, -1, name) }
