// Package keeper keeps the consoles of VMs short while no daemon runs: VMs
// outlive the daemon, and a guest can write to its console without end.
//
// The keeper is a process of its own, which the daemon starts before its first
// VM. It sleeps in flock(2) until the daemon, however it ends, lets go of its
// lock; then it trims the consoles now and then, until there is a daemon
// again or no VM any more.
package keeper
