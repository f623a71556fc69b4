package imagepull_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"banger/internal/model"
)

// inTwoParts sends the first half of layers, calls between, and sends the rest
// as change makes it.
func inTwoParts(reg *testRegistry, between func(), change func([]byte)) fault {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !isLayer(r) {
			return false
		}
		whole := reg.Whole(r)
		half := len(whole) / 2
		_, _ = w.Write(whole[:half])
		as[http.Flusher](w).Flush()
		between()
		rest := append([]byte(nil), whole[half:]...)
		change(rest)
		_, _ = w.Write(rest)
		return true
	}
}

// A layer is in the root filesystem, as far as it has come, before the rest of
// it is sent.
func TestUnpacksWhatHasArrived(t *testing.T) {
	t.Parallel()
	reg := newTestRegistry(t)
	ref := reg.push(t, archive(t, file("a", incompressible(8<<20)), file("b", "end")))
	r := newRig(t, nil)
	written := func() bool {
		found, err := filepath.Glob(filepath.Join(r.dir, "rootfs-*"))
		if err != nil || len(found) == 0 {
			return false
		}
		info, err := os.Stat(found[0])
		return err == nil && info.Size() > 1<<20
	}
	reg.Misbehave(inTwoParts(reg, func() {
		for deadline := time.Now().Add(20 * time.Second); !written(); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Error("nothing was unpacked of what had arrived")
				return
			}
		}
	}, func([]byte) {}))
	if _, _, err := r.pull(context.Background(), t, ref); err != nil {
		t.Fatal(err)
	}
}

// What was unpacked of a layer that turns out to be another is gone, and the
// error tells why, whatever the archive in it looked like.
func TestArrivalThatIsNotWhatItSays(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func([]byte){
		"last byte": func(b []byte) { b[len(b)-1] ^= 1 },
		"middle":    func(b []byte) { clear(b[:len(b)/2]) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reg := newTestRegistry(t)
			ref := reg.push(t, archive(t, file("a", incompressible(3<<20)), file("b", "end")))
			reg.Misbehave(inTwoParts(reg, func() {}, change))
			r := newRig(t, nil)
			_, _, err := r.pull(context.Background(), t, ref)
			if model.CodeOf(err) != model.CodeIntegrity || !strings.Contains(err.Error(), "is not what its digest says") {
				t.Errorf("the pull ends with %v", err)
			}
			if left := append(r.files(t, "ingest"), r.files(t, "blobs/sha256")...); len(left) > 2 { // manifest, configuration
				t.Errorf("left in the cache: %v", left)
			}
		})
	}
}
