package main

import "github.com/spf13/pflag"

// processFlags are the flags on a process that run, create and exec share.
type processFlags struct {
	env, envFiles []string
	workdir, user string
}

func (f *processFlags) add(flags *pflag.FlagSet) {
	flags.StringArrayVarP(&f.env, "env", "e", nil, "set `KEY=VALUE`; KEY alone takes the value from here")
	flags.StringArrayVar(&f.envFiles, "env-file", nil, "read KEY=VALUE lines from `FILE`")
	flags.StringVarP(&f.workdir, "workdir", "w", "", "working `DIR` in the VM")
	flags.StringVarP(&f.user, "user", "u", "", "run as `USER[:GROUP]`, names or numbers")
}
