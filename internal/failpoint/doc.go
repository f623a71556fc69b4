// Package failpoint has named places in the operations of the daemon where a
// test may make it die, fail or wait.
//
// A place is one line, failpoint.Hit(ctx, "image.pull/published"), behind the
// step that its name tells. Which places act is decided by a Set that the
// context carries; bangerd makes one of BANGER_FAILPOINTS and of nothing else.
// Without a Set a place costs one look into the context.
//
//	BANGER_FAILPOINTS="image.pull/published=kill;vm.start/launched=2*error:no memory"
//
//	kill          SIGKILL to the daemon itself
//	error:TEXT    the place returns an error with that text
//	delay:DURATION  the place waits, or until its context ends
//	panic:TEXT    the place panics
//	N*ACTION      the first N times only
//
// Names lists all places. A test holds the list and the code together, and
// test/soak acts at each of them.
package failpoint
