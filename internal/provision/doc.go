// Package provision says what is to be run in a guest so that an image becomes
// another: packages, tools of pinned versions, hooks and the user's script.
// It is pure: text in, text out.
package provision
