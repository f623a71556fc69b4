// Package operation runs the daemon's long calls: each has an id, named
// stages, progress that can be watched from elsewhere, cancel, and undo in
// reverse order when it fails. What ran is kept in a bounded history, and a
// call that lost its daemon is shown as interrupted.
//
// The package also holds the locks by key that services serialize on.
package operation
