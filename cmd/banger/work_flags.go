package main

import (
	"github.com/spf13/pflag"
)

// workEnv names the size of the work disk of VMs that are made without a word
// about it.
const workEnv = "BANGER_WORK"

// workFlags say whether a VM has a work disk.
type workFlags struct {
	size sizeValue
	none bool
}

func (f *workFlags) add(flags *pflag.FlagSet) {
	flags.Var(&f.size, "work", "add a disk at the user's home that outlives the root disk; default: $"+workEnv+", or none")
	flags.BoolVar(&f.none, "no-work", false, "add no work disk, whatever $"+workEnv+" says")
}

// check settles the size: the flags', else that of the environment.
func (f *workFlags) check(a *app, path string) error {
	switch env, _ := a.lookupEnv(workEnv); {
	case f.none && f.size != 0:
		return usageError(path, "--work and --no-work exclude each other")
	case f.none || f.size != 0 || env == "":
		return nil
	default:
		if err := f.size.Set(env); err != nil {
			return usageError(path, "%s %q: %w", workEnv, env, err)
		}
	}
	return nil
}

// bytes is the size of the work disk, 0 for none.
func (f *workFlags) bytes() int64 { return int64(f.size) }
