// Package soak wears the daemon out: it is killed at every fail point and at
// random moments, thousands of VMs come and go, and afterwards nothing may be
// left over or lost. The programs are the built ones; where a guest is not
// what is looked at, standin takes the place of QEMU.
//
// BANGER_SOAK=short is for every change, BANGER_SOAK=full for a release; make
// soak runs it and writes build/bench/soak.json. Without it all is skipped.
package soak
