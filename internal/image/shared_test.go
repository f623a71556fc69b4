package image_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"banger/internal/model"
	"banger/internal/rpc"
)

// TestBaseIsShared: while builds of an image go on, others may use it, and
// nobody may delete it.
func TestBaseIsShared(t *testing.T) {
	t.Parallel()
	b := newBuildRig(t)
	b.setUsedWait(10 * time.Millisecond)
	dir := t.TempDir()
	// In this host's shell: tell that it runs, wait for a sign.
	script := "touch " + dir + "/began-$$\nfor i in $(seq 3000); do test -e " + dir + "/go && exit 0; sleep 0.01; done; exit 1\n"
	var wg sync.WaitGroup
	wg.Go(func() {
		p := rpc.ImageBuildParams{Name: "scripted", Base: "base", Script: "#!/bin/sh\n" + script, ScriptName: "s", Network: model.NetNone}
		if _, err := b.BuildImage(t.Context(), p, model.Discard); err != nil {
			t.Error(err)
		}
	})
	wg.Go(func() {
		files := writeContext(t, map[string]string{"Dockerfile": "FROM base\nRUN <<EOF\n" + script + "EOF\n"})
		if _, err := b.BuildDockerfile(t.Context(), rpc.DockerfileBuildParams{Name: "docked", Network: model.NetNone, Context: files}, model.Discard); err != nil {
			t.Error(err)
		}
	})
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		if began, _ := filepath.Glob(dir + "/began-*"); len(began) == 2 {
			break
		}
		if time.Now().After(deadline) {
			t.Error("the builds do not run at the same time")
			break
		}
	}
	if _, err := b.TagImage(t.Context(), rpc.ImageTagParams{Name: "base", New: "second"}, model.Discard); err != nil {
		t.Errorf("tag: %v", err)
	}
	if _, err := b.DeleteImage(t.Context(), rpc.NameParams{Name: "base"}); model.CodeOf(err) != model.CodeConflict || model.HintOf(err) == "" {
		t.Errorf("delete: %v", err)
	}
	if err := os.WriteFile(dir+"/go", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if _, err := b.DeleteImage(t.Context(), rpc.NameParams{Name: "base"}); err != nil {
		t.Errorf("delete when they are done: %v", err)
	}
}
