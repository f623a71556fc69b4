// Package buildvm boots a root filesystem that is being built in a transient
// VM and runs the steps of the build in it. Such a VM has no row, no name and
// no place in a list: it lives inside of one call, and what a daemon that was
// killed leaves of it is ended by the next one.
//
// The seam to whoever builds is one call:
//
//	err := vms.With(ctx, spec, func(ctx context.Context, g *buildvm.Guest) error {
//		status, err := g.Run(ctx, buildvm.Process{Argv: argv, Stdout: log, Stderr: log})
//		...
//	})
//
// When With returns, whatever it returns, there is no process, socket or
// control group of the VM any more. When it returns nil the guest has unmounted
// its disk and switched itself off: the filesystem is clean.
package buildvm
