package soak

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"banger/internal/model"
	"banger/internal/rpc"
	"banger/test/registrytest"
)

// kernelScenarios are the operations on kernels beside import, pull and delete.
func kernelScenarios() []scenario {
	nothing := func(*home) error { return nil }
	return []scenario{
		{points: []string{"kernel.push/"}, prepare: nothing, act: (*home).pushKernel},
		{points: []string{"kernel.default/"}, prepare: nothing, act: (*home).chooseKernel},
		{points: []string{"kernel.test/"}, prepare: nothing, act: (*home).testKernel},
		{points: []string{"kernel.build/"}, prepare: nothing, act: (*home).buildKernel},
	}
}

// registryHost is a registry of this process, host:port.
func (h *home) registryHost() string {
	if h.registry == "" {
		h.registry = registrytest.New(h.t).Host
	}
	return h.registry
}

func (h *home) pushImage() error {
	ctx, cancel := h.call()
	defer cancel()
	_, err := h.PushImage(ctx, rpc.ImagePushParams{Name: "app", Ref: h.registryHost() + "/app:v1"}, model.Discard)
	return err
}

func (h *home) pushKernel() error {
	ctx, cancel := h.call()
	defer cancel()
	_, err := h.PushKernel(ctx, rpc.KernelPushParams{Name: "k", Ref: h.registryHost() + "/k:v1"}, model.Discard)
	return err
}

func (h *home) chooseKernel() error {
	ctx, cancel := h.call()
	defer cancel()
	_, err := h.DefaultKernel(ctx, rpc.KernelDefaultParams{Name: "k"})
	return err
}

// testKernel takes it for done when the stand-in, which has no kernel to try,
// was asked to: how a test ends is no fail point's concern.
func (h *home) testKernel() error {
	ctx, cancel := h.call()
	defer cancel()
	_, err := h.TestKernel(ctx, rpc.KernelTestParams{Name: "k"}, model.Discard)
	if err != nil && strings.Contains(err.Error(), "testing kernel k: ") {
		return nil
	}
	return err
}

// needed by a build of a kernel, whatever it compiles.
func canBuild() bool {
	for _, tool := range []string{"make", "gcc", "ld", "flex", "bison", "bc"} {
		if _, err := exec.LookPath(tool); err != nil {
			return false
		}
	}
	return true
}

// buildKernel builds of a tree whose make brings a kernel that is there
// already.
func (h *home) buildKernel() error {
	ctx, cancel := h.call()
	defer cancel()
	tree := h.t.TempDir()
	for name, text := range map[string]string{
		"Kconfig":  "",
		"Makefile": "allnoconfig:\n\t@cp $(KCONFIG_ALLCONFIG) $(O)/.config\nvmlinux:\n\t@cp " + h.kernel + " $(O)/vmlinux\n",
	} {
		if err := os.WriteFile(filepath.Join(tree, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	_, err := h.BuildKernel(ctx, rpc.KernelBuildParams{Name: "i", Source: tree}, model.Discard)
	if model.CodeOf(err) == model.CodeConflict {
		return nil // its answer was lost
	}
	return err
}
