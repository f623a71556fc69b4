// Package run is the one way in which banger runs external commands. A
// command has its own process group and ends with it; its output is bounded;
// its errors quote a command line that can be pasted into a shell.
package run
