package soak

import (
	"fmt"
	"os/exec"
	"path/filepath"

	"banger/internal/model"
	"banger/internal/rpc"
)

// imageScenarios are the operations on images beside pull and delete.
func imageScenarios() []scenario {
	pulled := func(h *home) error { return h.pullImage("i") }
	return []scenario{
		{points: []string{"image.register/"}, prepare: pulled, act: (*home).registerImage},
		{points: []string{"image.promote/"}, prepare: func(h *home) error {
			if err := h.pullImage("i"); err != nil {
				return err
			}
			return h.registerImage()
		}, act: (*home).promoteImage},
		{points: []string{"image.push/"}, prepare: func(*home) error { return nil }, act: (*home).pushImage},
		{points: []string{"image.tag/"}, prepare: pulled, act: (*home).tagImage},
		{points: []string{"image.build/", "build.vm/"}, prepare: func(*home) error { return nil }, act: (*home).buildImage},
		{points: []string{"image.dockerfile/"}, prepare: func(*home) error { return nil }, act: (*home).buildDockerfile},
		{points: []string{"image.replace/"}, prepare: (*home).buildAgain, act: (*home).rebuildDockerfile},
		{points: []string{"build.vm.recover/"}, prepare: (*home).abandonBuild, act: (*home).buildImage},
		{points: []string{"vm.commit/", "image.commit/"}, prepare: func(h *home) error { return h.createVM("v", false) }, act: (*home).commitVM},
	}
}

// registerImage registers a copy of the root filesystem of image i as mine.
func (h *home) registerImage() error {
	ctx, cancel := h.call()
	defer cancel()
	img, err := h.ShowImage(ctx, rpc.NameParams{Name: "i"})
	if err != nil {
		return err
	}
	rootfs := filepath.Join(h.t.TempDir(), "mine.ext4")
	if err := exec.CommandContext(ctx, "cp", "--sparse=always", img.RootfsPath(), rootfs).Run(); err != nil {
		return err
	}
	_, err = h.RegisterImage(ctx, rpc.ImageRegisterParams{Name: "mine", Rootfs: rootfs}, model.Discard)
	return orThere(err, h, "mine")
}

func (h *home) promoteImage() error {
	ctx, cancel := h.call()
	defer cancel()
	_, err := h.PromoteImage(ctx, rpc.NameParams{Name: "mine"}, model.Discard)
	return err
}

func (h *home) tagImage() error {
	ctx, cancel := h.call()
	defer cancel()
	_, err := h.TagImage(ctx, rpc.ImageTagParams{Name: "i", New: "second"}, model.Discard)
	return err
}

func (h *home) commitVM() error {
	ctx, cancel := h.call()
	defer cancel()
	_, err := h.CommitVM(ctx, rpc.VMCommitParams{Name: "v", Image: "committed"}, model.Discard)
	return err
}

func (h *home) buildImage() error {
	ctx, cancel := h.call()
	defer cancel()
	_, err := h.BuildImage(ctx, rpc.ImageBuildParams{
		Name: "built", Base: "app", KernelRef: "k", Network: model.NetNone, Script: "echo a step\n",
	}, model.Discard)
	return orThere(err, h, "built")
}

// abandonBuild leaves the VM of a build whose daemon has died.
func (h *home) abandonBuild() error {
	h.kill()
	if err := h.tryBoot("build.vm/done=kill"); err != nil {
		return err
	}
	err := h.buildImage()
	if !h.killed() {
		return fmt.Errorf("the build went on: %w", err)
	}
	return nil
}
