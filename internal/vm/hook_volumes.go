package vm

import (
	"context"
	"errors"
	"path/filepath"
	"slices"

	"banger/internal/disk"
	"banger/internal/failpoint"
	"banger/internal/model"
	"banger/internal/rpc"
	"banger/internal/vmm"
	"banger/internal/wire"
)

// Volumes are the disks that no VM owns.
type Volumes interface {
	Volume(ctx context.Context, nameOrID string) (model.Volume, error)
	// ClaimVolumes makes a VM the holder of all volumes that it uses, or says
	// which VM has one of them.
	ClaimVolumes(ctx context.Context, vmID string) error
	ReleaseVolumes(ctx context.Context, vmID string) error
}

// maxVolumes is how many volumes a VM may mount.
const maxVolumes = 12

// volumesHook mounts volumes. The row of a VM uses them from its creation on,
// so that they cannot be deleted; its process holds them while it runs.
func volumesHook(volumes Volumes, dir string) Hook {
	v := volumeMounts{volumes: volumes, dir: dir}
	return Hook{Name: "volumes", Plan: v.plan, Configure: v.configure, Prepare: v.prepare, Stop: v.release}
}

type volumeMounts struct {
	volumes Volumes
	dir     string // one directory per volume
}

// plan finds what the user has named.
func (v volumeMounts) plan(ctx context.Context, p rpc.VMCreateParams, _ model.Image, spec *model.VMSpec) error {
	if len(p.Volumes) > maxVolumes {
		return model.Errorf(model.CodeLimit, "%d volumes: a VM mounts at most %d", len(p.Volumes), maxVolumes)
	}
	for _, m := range p.Volumes {
		found, err := v.volumes.Volume(ctx, m.Volume)
		if model.CodeOf(err) == model.CodeNotFound {
			return model.Errorf(model.CodeNotFound, "there is no volume %q", m.Volume).
				WithHint("make it: banger volume create %s; `banger volume list` lists all", m.Volume)
		}
		if err != nil {
			return err
		}
		mount := model.VolumeMount{VolumeID: found.ID, Volume: found.Name, Path: filepath.Clean(m.Path), ReadOnly: m.ReadOnly}
		if err := checkMount(mount, found.State, *spec); err != nil {
			return err
		}
		spec.Volumes = append(spec.Volumes, mount)
	}
	return nil
}

func checkMount(m model.VolumeMount, state model.VolumeState, spec model.VMSpec) error {
	if state != model.VolumeReady {
		return model.Errorf(model.CodeConflict, "volume %s is %s", m.Volume, state)
	}
	if err := wire.ValidateMountPath(m.Path); err != nil {
		return model.Errorf(model.CodeInvalid, "volume %s: %w", m.Volume, err)
	}
	if spec.Work != nil && spec.Work.Path == m.Path || slices.ContainsFunc(spec.Volumes, func(o model.VolumeMount) bool { return o.Path == m.Path }) {
		return model.Errorf(model.CodeInvalid, "volume %s: another disk is mounted at %s", m.Volume, m.Path)
	}
	if slices.ContainsFunc(spec.Volumes, func(o model.VolumeMount) bool { return o.VolumeID == m.VolumeID }) {
		return model.Errorf(model.CodeInvalid, "volume %s is named twice: a VM mounts it once", m.Volume)
	}
	return nil
}

func (v volumeMounts) configure(vm model.VM, plan *Plan) error {
	for _, m := range vm.Spec.Volumes {
		device := plan.AddDisk(vmm.Disk{Path: v.disk(m), Format: vmm.Raw, ReadOnly: m.ReadOnly})
		plan.Guest.Mounts = append(plan.Guest.Mounts, wire.Mount{
			Device: device, Path: m.Path, FSType: "ext4", ReadOnly: m.ReadOnly, Grow: !m.ReadOnly,
		})
	}
	return nil
}

// prepare claims the volumes.
func (v volumeMounts) prepare(ctx context.Context, vm model.VM) error {
	if len(vm.Spec.Volumes) == 0 {
		return nil
	}
	if err := v.volumes.ClaimVolumes(ctx, vm.ID); err != nil {
		return err
	}
	if err := v.checkClaimed(ctx, vm); err != nil {
		return errors.Join(err, v.release(context.WithoutCancel(ctx), vm))
	}
	return nil
}

func (v volumeMounts) checkClaimed(ctx context.Context, vm model.VM) error {
	for _, m := range vm.Spec.Volumes {
		if err := v.checkReadable(m); err != nil {
			return err
		}
	}
	return failpoint.Hit(ctx, "volume.claim/held")
}

// checkReadable refuses what a guest could not mount: the journal of a
// filesystem that was not unmounted can only be replayed by one that writes.
func (v volumeMounts) checkReadable(m model.VolumeMount) error {
	if !m.ReadOnly {
		return nil
	}
	dirty, err := disk.NeedsRecovery(v.disk(m))
	if err == nil && dirty {
		return model.Errorf(model.CodeConflict, "volume %s was not unmounted when it was last written to, so it cannot be read-only", m.Volume).
			WithHint("start a VM that mounts it without :ro once")
	}
	return err
}

func (v volumeMounts) release(ctx context.Context, vm model.VM) error {
	if len(vm.Spec.Volumes) == 0 {
		return nil
	}
	if err := failpoint.Hit(ctx, "volume.release/asked"); err != nil {
		return err
	}
	return v.volumes.ReleaseVolumes(ctx, vm.ID)
}

func (v volumeMounts) disk(m model.VolumeMount) string {
	return filepath.Join(v.dir, m.VolumeID, model.VolumeFile)
}
