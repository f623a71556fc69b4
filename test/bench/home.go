package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"banger/internal/model"
	"banger/test/registrytest"
)

// image is what all guests run.
const image = "busybox"

// home is a BANGER_HOME of the benchmark's own.
type home struct {
	dir string
	bin string
}

// newHome makes an empty home; its path is short, since sockets live below it.
func newHome(bin string) (*home, error) {
	abs, err := filepath.Abs(bin)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("/tmp", "bgb")
	return &home{dir: dir, bin: abs}, err
}

// destroy ends what runs in the home and removes it, even after ctx.
func (h *home) destroy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	names, err := h.banger(ctx, "ps", "-q")
	if vms := strings.Fields(names); len(vms) > 0 && len(vms) < manyCount {
		_, rmErr := h.banger(ctx, append([]string{"rm", "-f"}, vms...)...)
		err = errors.Join(err, rmErr)
	}
	_, downErr := h.banger(ctx, "system", "shutdown")
	return errors.Join(err, downErr, os.RemoveAll(h.dir))
}

// fill pulls an OCI layout as an image, through a registry, and the kernel.
func (h *home) fill(ctx context.Context, layoutDir, as string) error {
	server := httptest.NewServer(registrytest.Handler())
	defer server.Close()
	ref, err := name.ParseReference(strings.TrimPrefix(server.URL, "http://") + "/" + as)
	if err != nil {
		return err
	}
	index, err := layout.ImageIndexFromPath(layoutDir)
	if err != nil {
		return fmt.Errorf("%w (make images)", err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return err
	}
	img, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		return err
	}
	if err := remote.Write(ref, img, remote.WithContext(ctx)); err != nil {
		return err
	}
	if _, err := h.banger(ctx, "kernel", "pull"); err != nil {
		return err
	}
	_, err = h.banger(ctx, "image", "pull", "--name", as, ref.String())
	return err
}

// banger runs the client and returns its standard output.
func (h *home) banger(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(h.bin, "banger"), args...)
	cmd.Env = append(os.Environ(), "BANGER_HOME="+h.dir)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("banger %s: %w: %s", strings.Join(args, " "), err, stderr.String())
	}
	return stdout.String(), nil
}

// timed runs the client n times and returns how long each took, in ms.
func (h *home) timed(ctx context.Context, n int, args ...string) ([]float64, error) {
	var took []float64
	for range n {
		begin := time.Now()
		if _, err := h.banger(ctx, args...); err != nil {
			return nil, err
		}
		took = append(took, millis(time.Since(begin)))
	}
	return took, nil
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// show returns a VM as banger knows it.
func (h *home) show(ctx context.Context, vm string) (model.VM, error) {
	text, err := h.banger(ctx, "vm", "show", "--json", vm)
	if err != nil {
		return model.VM{}, err
	}
	var v model.VM
	return v, json.Unmarshal([]byte(text), &v)
}
