package soak

import (
	"banger/internal/model"
	"banger/internal/rpc"
)

// diskScenarios are the operations on disks beside the images' own.
func diskScenarios() []scenario {
	nothing := func(*home) error { return nil }
	return []scenario{
		{points: []string{"volume.create/"}, prepare: nothing, act: (*home).volumeAgain},
		{points: []string{"volume.delete/"}, prepare: (*home).volumeAgain, act: func(h *home) error { return gone(h.deleteVolume("d")) }},
		{points: []string{"volume.resize/"}, prepare: (*home).volumeAgain, act: func(h *home) error { return h.growVolume("d") }},
		{points: []string{"volume.claim/", "volume.release/"}, prepare: (*home).createWithVolume, act: func(h *home) error {
			if err := h.startVM("v"); err != nil {
				return err
			}
			return h.killVM("v")
		}},
		{points: []string{"vm.reset/"}, prepare: func(h *home) error { return h.createVM("v", false) }, act: func(h *home) error { return h.resetVM("v") }},
	}
}

// volumeAgain makes the volume d, unless a crash has left it.
func (h *home) volumeAgain() error {
	ctx, cancel := h.call()
	defer cancel()
	_, err := h.CreateVolume(ctx, rpc.VolumeCreateParams{Name: "d", SizeBytes: 64 << 20})
	if model.CodeOf(err) == model.CodeConflict {
		v, err := h.ShowVolume(ctx, rpc.NameParams{Name: "d"})
		if err == nil && v.State != model.VolumeReady {
			return model.Errorf(model.CodeConflict, "volume d is %s", v.State)
		}
		return err
	}
	return err
}

func (h *home) deleteVolume(name string) error {
	ctx, cancel := h.call()
	defer cancel()
	_, err := h.DeleteVolume(ctx, rpc.NameParams{Name: name})
	return err
}

func (h *home) growVolume(name string) error {
	ctx, cancel := h.call()
	defer cancel()
	_, err := h.ResizeVolume(ctx, rpc.VolumeResizeParams{Name: name, SizeBytes: 96 << 20})
	return err
}

// createWithVolume makes the VM v, which mounts the volume d.
func (h *home) createWithVolume() error {
	if err := h.volumeAgain(); err != nil {
		return err
	}
	ctx, cancel := h.call()
	defer cancel()
	_, err := h.CreateVM(ctx, rpc.VMCreateParams{
		Image: "app", Kernel: "k", Name: "v", Volumes: []rpc.MountParams{{Volume: "d", Path: "/d"}},
	}, model.Discard)
	return err
}

func (h *home) resetVM(name string) error {
	ctx, cancel := h.call()
	defer cancel()
	_, err := h.ResetVM(ctx, rpc.VMResetParams{Name: name, Force: true}, model.Discard)
	return err
}
