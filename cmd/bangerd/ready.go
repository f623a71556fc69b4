package main

import (
	"encoding/json"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"banger/internal/model"
	"banger/internal/rpc"
)

// readiness tells the program that started us how it went. The zero value
// tells nobody.
type readiness struct{ pipe *os.File }

// inheritReadiness takes the descriptor that rpc.ReadyEnv names. Programs that
// we start are given neither it nor the variable.
func inheritReadiness(getenv func(string) string, unsetenv func(string) error) (*readiness, error) {
	value := getenv(rpc.ReadyEnv)
	if value == "" {
		return &readiness{}, nil
	}
	fd, err := strconv.Atoi(value)
	if err != nil || fd <= int(os.Stderr.Fd()) {
		return nil, model.Errorf(model.CodeInvalid, "%s is %q: the number of a pipe is needed", rpc.ReadyEnv, value)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETFD, unix.FD_CLOEXEC); err != nil {
		return nil, model.Errorf(model.CodeInvalid, "%s is %q: %w", rpc.ReadyEnv, value, err)
	}
	return &readiness{os.NewFile(uintptr(fd), "ready")}, unsetenv(rpc.ReadyEnv)
}

func (r *readiness) ok() { r.tell(rpc.ReadyOK) }

func (r *readiness) failed(err error) {
	told, _ := json.Marshal(&model.Error{Code: model.CodeOf(err), Msg: err.Error(), Hint: model.HintOf(err)}) // three strings
	r.tell(string(told))
}

// tell writes the one line. A parent that has gone away is no matter.
func (r *readiness) tell(line string) {
	if r.pipe == nil {
		return
	}
	_, _ = r.pipe.WriteString(line + "\n")
	_ = r.pipe.Close()
	r.pipe = nil
}
