package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// newRootCommand is the whole command line. The verbs of VMs are at top level
// and below vm; nouns are known in singular and plural.
func newRootCommand(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "banger",
		Short: "run OCI images as microVMs",
		Long: "banger runs any OCI image as a microVM: a real kernel per sandbox, no root needed,\n" +
			"nothing installed in the image.",
		Example: "  banger run debian:bookworm -- uname -a\n" +
			"  banger run -it --name dev debian:bookworm\n" +
			"  banger exec dev -- ls /",
		Args:          cobra.ArbitraryArgs,
		RunE:          helpOrUnknown(nil),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	a.addGlobalFlags(root)
	root.Version = a.build.Version
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(flagError)
	root.SetHelpCommand(newHelpCommand())
	root.SetHelpCommandGroupID("self")
	root.SetHelpFunc(helpWithExitCodes(root.HelpFunc()))

	addGroup(root, "vm", "VMs (the same below 'banger vm'):", vmVerbs(a)...)
	addGroup(root, "nouns", "Nouns:",
		newVMCommand(a), newImageCommand(a), newKernelCommand(a), newVolumeCommand(a), newOperationCommand(a), newConfigCommand(a), newSystemCommand(a))
	addGroup(root, "self", "About banger:",
		newDoctorCommand(a), newVersionCommand(a), newEventsCommand(a), newCompletionCommand(a), newExitCodesTopic(), newDocsCommand(a))
	return root
}

func addGroup(root *cobra.Command, id, title string, commands ...*cobra.Command) {
	root.AddGroup(&cobra.Group{ID: id, Title: title})
	for _, c := range commands {
		c.GroupID = id
	}
	root.AddCommand(commands...)
}

func (a *app) addGlobalFlags(root *cobra.Command) {
	flags := root.PersistentFlags()
	flags.BoolVar(&a.flags.json, "json", false, "print one JSON value; errors are JSON too")
	flags.BoolVarP(&a.flags.quiet, "quiet", "q", false, "no progress; lists print names only")
	a.flags.progress = progressAuto
	enumFlag(flags, &a.flags.progress, "progress", "how progress is shown on standard error",
		string(progressAuto), string(progressPlain), string(progressTTY), string(progressJSON))
	root.PersistentFlags().BoolP("help", "h", false, "show help")
	_ = root.RegisterFlagCompletionFunc("progress", words(
		string(progressAuto), string(progressPlain), string(progressTTY), string(progressJSON)))
}

// vmVerbs are the commands on VMs; a command has one parent, so they are made
// anew for each place.
func vmVerbs(a *app) []*cobra.Command {
	return []*cobra.Command{
		newVMRunCommand(a), newVMCreateCommand(a), newVMStartCommand(a), newVMStopCommand(a),
		newVMKillCommand(a), newVMRestartCommand(a), newVMDeleteCommand(a), newVMListCommand(a),
		newVMShowCommand(a), newVMLogsCommand(a), newVMExecCommand(a),
		newVMCommitCommand(a),
		newVMResetCommand(a), newVMRebaseCommand(a),
		newVMPauseCommand(a), newVMResumeCommand(a), newVMWaitCommand(a), newVMSetCommand(a),
		newVMRenameCommand(a), newVMPruneCommand(a), newVMStatsCommand(a), newVMTopCommand(a),
		newVMHealthCommand(a), newVMConsoleCommand(a), newVMPortsCommand(a),
	}
}

func newVMCommand(a *app) *cobra.Command {
	return newNoun("vm", "vms", "run and keep VMs", "  banger vm list", vmVerbs(a))
}

func newImageCommand(a *app) *cobra.Command {
	return newNoun("image", "images", "pull and keep images", "  banger image list", []*cobra.Command{
		newImagePullCommand(a), newImageImportCommand(a), newImageListCommand(a), newImageShowCommand(a), newImageDiffCommand(a),
		newImageHistoryCommand(a), newImageBuildCommand(a), newImageLogCommand(a), newImagePackagesCommand(a), newImageRegisterCommand(a), newImagePromoteCommand(a), newImageTagCommand(a),
		newImageVerifyCommand(a), newImageExportCommand(a), newImagePushCommand(a),
		newImageDeleteCommand(a), newImagePruneCommand(a),
		newImageCacheCommand(a),
	})
}

func newKernelCommand(a *app) *cobra.Command {
	return newNoun("kernel", "kernels", "pull and keep kernels", "  banger kernel list --available", []*cobra.Command{
		newKernelListCommand(a), newKernelPullCommand(a), newKernelImportCommand(a),
		newKernelShowCommand(a), newKernelDefaultCommand(a), newKernelPushCommand(a), newKernelDeleteCommand(a),
		newKernelPruneCommand(a), newKernelBuildCommand(a), newKernelTestCommand(a),
	})
}

func newVolumeCommand(a *app) *cobra.Command {
	return newNoun("volume", "volumes", "keep disks that VMs mount", "  banger volume list", []*cobra.Command{
		newVolumeCreateCommand(a), newVolumeListCommand(a), newVolumeShowCommand(a),
		newVolumeDeleteCommand(a), newVolumePruneCommand(a), newVolumeResizeCommand(a),
	})
}

func newOperationCommand(a *app) *cobra.Command {
	return newNoun("operation", "operations", "see and end long calls", "  banger operation list", []*cobra.Command{
		newOperationListCommand(a), newOperationShowCommand(a),
		newOperationWatchCommand(a), newOperationCancelCommand(a),
	})
}

func newSystemCommand(a *app) *cobra.Command {
	return newNoun("system", "", "look at the daemon and end it", "  banger system version", []*cobra.Command{
		newVersionCommand(a), newEventsCommand(a), newSystemCheckCommand(a), newSystemDFCommand(a), newSystemPruneCommand(a),
		newSystemShutdownCommand(a),
	})
}

// newNoun groups the verbs of a noun. Bare, the plural lists, as
// 'docker images' does; the singular shows help.
func newNoun(singular, plural, short, example string, verbs []*cobra.Command) *cobra.Command {
	noun := &cobra.Command{Use: singular, Short: short, Example: example, Args: cobra.ArbitraryArgs}
	var list *cobra.Command
	for _, verb := range verbs {
		noun.AddCommand(verb)
		if verb.Name() == "list" && plural != "" {
			list = verb
		}
	}
	if plural != "" {
		noun.Aliases = []string{plural}
	}
	noun.RunE = helpOrUnknown(list)
	return noun
}

// helpOrUnknown answers a noun without a verb that exists.
func helpOrUnknown(list *cobra.Command) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) > 0:
			return unknownCommand(cmd, args[0])
		case list != nil && cmd.CalledAs() != cmd.Name():
			return list.RunE(cmd, nil)
		default:
			return cmd.Help()
		}
	}
}

// newHelpCommand is 'banger help WORD...', which fails on unknown words.
func newHelpCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "show help for a command or a topic",
		Example: "  banger help run\n  banger help exit-codes",
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			return helpWords(cmd.Root(), args), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			target, rest, err := cmd.Root().Find(args)
			if err != nil || target == nil {
				return usageError("banger", "no help on %q", strings.Join(args, " "))
			}
			if len(rest) > 0 {
				return unknownCommand(target, rest[0])
			}
			return target.Help()
		},
	}
}

func helpWords(root *cobra.Command, args []string) []string {
	target, _, err := root.Find(args)
	if err != nil {
		return nil
	}
	var found []string
	for _, c := range target.Commands() {
		if !c.Hidden {
			found = append(found, c.Name()+"\t"+c.Short)
		}
	}
	return found
}

// helpWithExitCodes adds the exit codes to the help of each command.
func helpWithExitCodes(help func(*cobra.Command, []string)) func(*cobra.Command, []string) {
	return func(cmd *cobra.Command, args []string) {
		help(cmd, args)
		if cmd.Runnable() && !cmd.HasSubCommands() {
			cmd.Printf("\n%s\n", exitLine(cmd))
		}
	}
}
