// Package console keeps the file that a VM's serial console is appended to
// within bounds, and reads it. The VMM appends and never rotates; the oldest
// part of the file is punched out from under it, so that offsets stay and no
// byte is lost in between.
package console
