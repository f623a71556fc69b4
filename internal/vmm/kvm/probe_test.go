package kvm_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"banger/internal/vmm/kvm"
)

func TestMain(m *testing.M) {
	kvm.MaybeProbeChild()
	os.Exit(m.Run())
}

func needDevice(t *testing.T) {
	t.Helper()
	f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no /dev/kvm to open: ", err)
	}
	_ = f.Close()
}

// TestProbe: whatever the verdict is, it is plain, and the second one comes
// from the file.
func TestProbe(t *testing.T) {
	needDevice(t)
	file := filepath.Join(t.TempDir(), "kvm.json")
	began := time.Now()
	v := kvm.Probe(t.Context(), file)
	t.Logf("%+v after %v", v, time.Since(began))
	if v.Usable == (v.Reason != "") {
		t.Errorf("verdict %+v", v)
	}
	if !v.Usable && !strings.HasPrefix(v.Reason, "/dev/kvm is there but ") {
		t.Errorf("reason %q", v.Reason)
	}
	flip(t, file)
	if again := kvm.Probe(t.Context(), file); again.Usable == v.Usable {
		t.Errorf("the cached verdict was not used: %+v", again)
	}
}

// flip turns the verdict of a cache file around.
func flip(t *testing.T, file string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var r struct {
		Version int         `json:"version"`
		BootID  string      `json:"boot_id"`
		Verdict kvm.Verdict `json:"verdict"`
	}
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	r.Verdict.Usable = !r.Verdict.Usable
	if b, err = json.Marshal(r); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestForeignCacheIsIgnored: a file of another boot, of another version or
// of nonsense is measured anew and replaced.
func TestForeignCacheIsIgnored(t *testing.T) {
	needDevice(t)
	file := filepath.Join(t.TempDir(), "kvm.json")
	content := `{"version":1,"boot_id":"another","verdict":{"usable":false,"reason":"stale"}}`
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if v := kvm.Probe(t.Context(), file); v.Reason == "stale" {
		t.Errorf("verdict %+v", v)
	}
	b, err := os.ReadFile(file)
	if err != nil || strings.Contains(string(b), "stale") {
		t.Errorf("cache file %q, %v", b, err)
	}
}

// TestInterruptedProbeIsNotCached: a caller that goes away must not decide
// for the next one.
func TestInterruptedProbeIsNotCached(t *testing.T) {
	needDevice(t)
	file := filepath.Join(t.TempDir(), "kvm.json")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if v := kvm.Probe(ctx, file); v.Usable || v.Reason == "" {
		t.Errorf("verdict %+v", v)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("it was cached")
	}
}
