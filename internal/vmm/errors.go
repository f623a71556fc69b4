package vmm

import "errors"

// ErrGone: the process of a Record is certain not to run any more.
var ErrGone = errors.New("the VM process is gone")
