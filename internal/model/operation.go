package model

import (
	"strings"
	"time"
)

// OperationState is how far a long call has come.
type OperationState string

// The states of an operation. Interrupted: its daemon went away under it.
const (
	OpRunning     OperationState = "running"
	OpDone        OperationState = "done"
	OpFailed      OperationState = "failed"
	OpCanceled    OperationState = "canceled"
	OpInterrupted OperationState = "interrupted"
)

// Operation is a long-running call with named stages.
type Operation struct {
	ID        string         `json:"id"`
	Kind      string         `json:"kind" doc:"the call: image.pull, vm.create, ..."`
	Object    string         `json:"object" doc:"name of what it works on"`
	State     OperationState `json:"state"`
	Stages    []Stage        `json:"stages"`
	Error     *Error         `json:"error,omitempty"`
	StartedAt time.Time      `json:"started_at"`
	EndedAt   time.Time      `json:"ended_at,omitzero"`
}

// Interrupt ends an operation whose daemon went away under it, and says what
// that means: the next daemon undoes or finishes what was begun before it
// answers.
func (op *Operation) Interrupt(at time.Time) {
	op.State, op.EndedAt = OpInterrupted, at
	noun, _, _ := strings.Cut(op.Kind, ".")
	stage := "before its first stage"
	if n := len(op.Stages); n > 0 {
		stage = "in stage " + op.Stages[n-1].Name
	}
	op.Error = Errorf(CodeInternal, "the daemon ended under it, %s; the next daemon has undone or finished what was begun", stage).
		WithHint("`banger %s list` shows what is there; if it is not what you want, run the command again", noun)
}

// Stage is one step of an operation.
type Stage struct {
	Name   string `json:"name"`
	Millis int64  `json:"millis" doc:"how long it took, or has taken so far"`
	Done   bool   `json:"done"`
}

// Progress is one report of a running operation. Exactly one of Stage, Item
// and Note is set.
type Progress struct {
	Operation string        `json:"operation,omitempty"`
	Stage     string        `json:"stage,omitempty" doc:"a stage begins (Done false) or ends (Done true)"`
	Done      bool          `json:"done,omitempty"`
	Millis    int64         `json:"millis,omitempty"`
	Item      *ItemProgress `json:"item,omitempty" doc:"bytes of one item, such as a layer"`
	Note      string        `json:"note,omitempty" doc:"one plain line for the user"`
}

// ItemProgress counts the bytes of one item of a stage.
type ItemProgress struct {
	ID      string `json:"id"`
	Current int64  `json:"current"`
	Total   int64  `json:"total" doc:"0: not known"`
}

// Report takes progress. It is called from several goroutines and must be
// quick; nil is not allowed (use Discard).
type Report func(Progress)

// Discard is a Report that forgets.
func Discard(Progress) {}

// VersionInfo is what a binary knows about itself.
type VersionInfo struct {
	Version   string `json:"version"`
	Commit    string `json:"commit"`
	BuildTime string `json:"build_time"`
	GoVersion string `json:"go_version"`
	PID       int    `json:"pid,omitempty" doc:"the daemon's"`
	Home      string `json:"home,omitempty" doc:"the daemon's state directory"`
	Accel     string `json:"accel,omitempty" doc:"what VMs run on here: kvm or tcg"`
}
