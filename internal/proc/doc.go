// Package proc names a process beyond reuse of its number and holds on to it
// by a pidfd (pidfd_open(2)). It works for processes that are not children.
package proc
