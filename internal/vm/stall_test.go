package vm_test

import (
	"testing"
	"time"

	"banger/internal/model"
	"banger/internal/rpc"
)

// TestStalledVM: a VM that waits for room on the host's disk says so, and
// works again when it goes on.
func TestStalledVM(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	v := r.create("web")
	run := func() error {
		_, err := r.ExecVM(t.Context(), rpc.VMExecParams{Name: "web", Argv: []string{"/bin/true"}}, rpc.Stdio{}, model.Discard)
		return err
	}
	for _, stalled := range []bool{true, false} {
		r.fake.Guest(v.ID).Stall(stalled)
		want := model.Code("")
		if stalled {
			want = model.CodeNoSpace
		}
		for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
			err := run()
			if model.CodeOf(err) == want && (err == nil || model.HintOf(err) != "") {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("stalled %t: exec: %v", stalled, err)
			}
		}
	}
}
