package imagepull_test

import (
	"context"
	"math/rand/v2"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"banger/internal/imagepull"
)

// TestArrivalDoesNotMatter pulls one image of many layers that come in other
// orders and paces each time, on one processor and on four: the file systems
// are the same to the byte.
//
// It sets GOMAXPROCS, so it is not run beside others.
func TestArrivalDoesNotMatter(t *testing.T) { //nolint:paralleltest // see above
	reg := newTestRegistry(t)
	var layers [][]byte
	for i := range byte(7) {
		name := string([]byte{'a' + i})
		layers = append(layers, archive(t, dir("d"), file("d/"+name, incompressible(int(i+1)*200_000)), file("small"+name, name),
			file("shadowed", incompressible(50_000*int(i+1))), file("zeros"+name, strings.Repeat("\x00", 300_000)+name), hardlink("d/l"+name, "d/"+name)))
	}
	layers = append(layers, archive(t, gone("d/.wh.c"), gone(".wh.smallb"), file("last", "1")))
	ref := reg.push(t, layers...)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	want := ""
	for round := range 8 {
		runtime.GOMAXPROCS([]int{1, 4}[round%2])
		reg.Misbehave(shuffledDelays(uint64(round)))
		if got := pulledSum(t, ref); want == "" {
			want = got
		} else if got != want {
			t.Errorf("round %d gives another file system", round)
		}
	}
}

// shuffledDelays lets each layer wait for another time; nothing is made to
// depend on how long it is.
func shuffledDelays(seed uint64) fault {
	random := rand.New(rand.NewPCG(seed, 1))
	delays := make([]time.Duration, 64)
	for i := range delays {
		delays[i] = time.Duration(random.IntN(20)) * time.Millisecond
	}
	return func(_ http.ResponseWriter, r *http.Request) bool {
		if isLayer(r) {
			time.Sleep(delays[int(r.URL.Path[len(r.URL.Path)-1])%len(delays)])
		}
		return false
	}
}

// pulledSum pulls ref into an empty cache and returns the digest of what is
// built.
func pulledSum(t *testing.T, ref string) string {
	t.Helper()
	r := newRig(t, nil)
	parsed, err := imagepull.ParseRef(ref)
	if err != nil {
		t.Fatal(err)
	}
	img, err := r.Resolve(context.Background(), parsed, "linux/amd64", r.report)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(r.dir, "rootfs.ext4")
	if _, err := r.BuildExt4(context.Background(), img, path, imagepull.BuildOptions{SizeBytes: 64 << 20, Stage: func(string) {}}, r.report); err != nil {
		t.Fatal(err)
	}
	return sumOf(t, path)
}
