package vm

import (
	"context"
	"sync"

	"banger/internal/model"
)

// Events takes what happens to VMs.
type Events interface {
	Add(e model.Event)
}

// recorder is a Store that tells of each change: as an event, and to those
// who wait for one.
type recorder struct {
	Store
	events Events // nil: nobody wants to know

	mu      sync.Mutex
	changed chan struct{} // closed and replaced at each change
}

func newRecorder(s Store, events Events) *recorder {
	return &recorder{Store: s, events: events, changed: make(chan struct{})}
}

// nextChange returns a channel that is closed at the next change of any VM.
func (r *recorder) nextChange() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed
}

func (r *recorder) tell(e model.Event) {
	r.mu.Lock()
	close(r.changed)
	r.changed = make(chan struct{})
	r.mu.Unlock()
	if r.events != nil {
		e.Noun = model.EventVM
		r.events.Add(e)
	}
}

// InsertVM implements Store.
func (r *recorder) InsertVM(ctx context.Context, vm model.VM) error {
	err := r.Store.InsertVM(ctx, vm)
	if err == nil {
		r.tell(model.Event{ID: vm.ID, Name: vm.Name, Action: string(vm.State), Detail: "of image " + vm.Image})
	}
	return err
}

// UpdateVM implements Store.
func (r *recorder) UpdateVM(ctx context.Context, id string, change func(*model.VM) error) (model.VM, error) {
	var name string
	var state model.VMState
	vm, err := r.Store.UpdateVM(ctx, id, func(vm *model.VM) error {
		name, state = vm.Name, vm.State
		return change(vm)
	})
	if err != nil {
		return vm, err
	}
	if vm.Name != name {
		r.tell(model.Event{ID: id, Name: vm.Name, Action: "renamed", Detail: "was " + name})
	}
	if vm.State != state {
		r.tell(model.Event{ID: id, Name: vm.Name, Action: string(vm.State), Detail: vm.Reason})
	}
	return vm, nil
}

// DeleteVM implements Store.
func (r *recorder) DeleteVM(ctx context.Context, id string) error {
	vm, known := r.Store.VM(ctx, id)
	err := r.Store.DeleteVM(ctx, id)
	if err == nil && known == nil {
		r.tell(model.Event{ID: id, Name: vm.Name, Action: "deleted"})
	}
	return err
}
