package kernelcat_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"banger/internal/kernelcat"
	"banger/internal/model"
	"banger/internal/rpc"
)

// tester is a Tester that boots nothing.
type tester struct {
	modules []string // their file names, of the last test
	err     error
}

func (s *tester) Test(_ context.Context, _ model.MachineType, kernel, initramfs string, modules []string) (model.KernelTest, error) {
	for _, path := range append([]string{kernel, initramfs}, modules...) {
		if _, err := os.Stat(path); err != nil {
			return model.KernelTest{}, err
		}
	}
	s.modules = nil
	for _, path := range modules {
		s.modules = append(s.modules, filepath.Base(path))
	}
	return model.KernelTest{BootMillis: 1200, Probes: []model.KernelProbe{{Name: "tun", Works: true}}}, s.err
}

func TestTestKernel(t *testing.T) {
	t.Parallel()
	s := &tester{}
	e := newEnv(t, func(c *kernelcat.Config) { c.Tester = s })
	_, err := e.TestKernel(t.Context(), rpc.KernelTestParams{}, model.Discard)
	wantCode(t, "one that is not here", err, model.CodeNotFound)
	files := e.mirror.packages["linux-image-cloud-amd64"]
	for i := range files {
		files[i].Name = strings.Replace(files[i].Name, "misc/other.ko", "net/tun.ko", 1)
	}
	e.pull(t, "")
	got, err := e.TestKernel(t.Context(), rpc.KernelTestParams{}, model.Discard)
	if err != nil || got.Test == nil || got.Test.BootMillis != 1200 {
		t.Fatalf("%+v, %v", got, err)
	}
	if diff := cmp.Diff([]string{"tun.ko"}, s.modules); diff != "" {
		t.Errorf("modules: (-want +got)\n%s", diff)
	}
	shown, err := e.ShowKernel(t.Context(), rpc.NameParams{})
	if err != nil || !cmp.Equal(shown, got) {
		t.Errorf("shown: %+v, %v", shown, err)
	}
	s.err = model.Errorf(model.CodeBoot, "no answer")
	_, err = e.TestKernel(t.Context(), rpc.KernelTestParams{}, model.Discard)
	wantCode(t, "one that does not boot", err, model.CodeBoot)
	if left, _ := filepath.Glob(filepath.Join(e.cfg.Paths.Cache, "test-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
