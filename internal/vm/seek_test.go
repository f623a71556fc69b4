package vm_test

import (
	"errors"
	"testing"

	"banger/internal/model"
	"banger/internal/vmm/vmmtest"
)

func TestUnknownVMIsFoundWhenItAnswersAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.create("web")
	r.fake.SetFaults(vmmtest.Faults{Attach: errors.New("the monitor does not answer")})
	r.restart()
	if state := r.state("web"); state != model.VMUnknown {
		t.Fatalf("it is %s", state)
	}
	r.fake.SetFaults(vmmtest.Faults{})
	awaitTrue(t, "the VM is found", func() bool { return r.state("web") == model.VMRunning })
	if r.fake.Running() != 1 {
		t.Errorf("%d VMs run", r.fake.Running())
	}
}

func TestUnknownVMThatEndsIsSettled(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	v := r.create("web")
	r.fake.SetFaults(vmmtest.Faults{Attach: errors.New("the monitor does not answer")})
	r.restart()
	r.fake.Guest(v.ID).Poweroff()
	r.fake.SetFaults(vmmtest.Faults{})
	awaitTrue(t, "the VM is stopped", func() bool { return r.state("web") == model.VMStopped })
}
