package imagepull_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"banger/internal/imagepull"
	"banger/internal/model"
)

// bomb is an image that is small on the way and large when it has arrived.
type bomb struct {
	name  string
	layer func(t *testing.T) []byte
	says  []string // the setting and its value
	code  model.Code
	whole bool // the limit is reached by what a layer means, when all of it has been read
}

// bombLimits are the defaults, but reached sooner.
func bombLimits() imagepull.Limits {
	limits := imagepull.DefaultLimits()
	limits.OutputBytes, limits.Entries, limits.MetadataBytes = 256<<20, 20_000, 16<<20
	return limits
}

var bombs = []bomb{
	{"ten gigabytes in a file", func(t *testing.T) []byte {
		header := block("zeros", '0', map[int]string{fieldSize: base256(10<<30, 12)}, "")
		return append(gzipped(t, header), repeatedGzip(t, make([]byte, 64<<20), 160)...)
	}, []string{"image.output_bytes = 268435456"}, model.CodeLimit, false},
	{"ten gigabytes in many files", func(t *testing.T) []byte {
		return repeatedGzip(t, bytes.Repeat(block("zeros", '0', nil, strings.Repeat("\x00", 1<<20)), 64), 160)
	}, []string{"image.output_bytes = 268435456"}, model.CodeLimit, false},
	{"ten gigabytes behind the archive", func(t *testing.T) []byte {
		return append(gzipped(t, archive(t, file("a", "1"))), repeatedGzip(t, make([]byte, 64<<20), 160)...)
	}, []string{"image.output_bytes = 268435456"}, model.CodeLimit, false},
	{"ten million files", func(t *testing.T) []byte {
		return repeatedGzip(t, bytes.Repeat(block("f", '0', nil, ""), 50_000), 200)
	}, []string{"image.entries = 20000"}, model.CodeLimit, false},
	{"a hundred thousand levels", func(t *testing.T) []byte {
		level := strings.Repeat("d/", 2000)
		members := []member{dir(level)}
		for i := range 50 {
			members = append(members, symlink(fmt.Sprint("l", i), fmt.Sprint("l", i-1, "/", level)), dir(fmt.Sprint("l", i, "/", level)))
		}
		members[1] = symlink("l0", level)
		return gzipped(t, archive(t, members...))
	}, []string{"image.depth = 2048"}, model.CodeLimit, true},
	{"a sparse map of millions", func(t *testing.T) []byte {
		records := pax("GNU.sparse.major", "1") + pax("GNU.sparse.minor", "0") + pax("GNU.sparse.realsize", "1")
		header := block("s", '0', map[int]string{fieldSize: octal(1<<30, 12)}, "")
		return append(gzipped(t, append(append(paxBlock(records), header...), "20000000\n"...)), repeatedGzip(t, bytes.Repeat([]byte("0\n"), 1<<20), 20)...)
	}, []string{"map of a sparse file is too long", "at most 1048576"}, model.CodeLimit, false},
	{"attributes of many files", func(t *testing.T) []byte {
		m := xattr(file("f", ""), map[string]string{"SCHILY.xattr.user.x": strings.Repeat("x", 60<<10)})
		return gzipped(t, archive(t, repeated(m, 400)...))
	}, []string{"image.metadata_bytes = 16777216"}, model.CodeLimit, false},
	{"attributes of one file", func(t *testing.T) []byte {
		return gzipped(t, archive(t, xattr(file("f", ""), map[string]string{"SCHILY.xattr.user.x": strings.Repeat("x", 900<<10)})))
	}, []string{"image.xattr_bytes = 65536"}, model.CodeLimit, false},
	{"an extended header of a gigabyte", func(t *testing.T) []byte {
		header := block("x", 'x', map[int]string{fieldSize: octal(1<<30, 12)}, "")
		return append(gzipped(t, header), repeatedGzip(t, bytes.Repeat([]byte("9"), 64<<20), 16)...)
	}, []string{"extended header is too long", "at most 1048576"}, model.CodeLimit, false},
	{"a window of two gigabytes", func(t *testing.T) []byte {
		// RFC 8878, 3.1.1.1: no content size, no checksum, window descriptor 0xA8 (2 GiB).
		return []byte("\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00")
	}, []string{"image.window_bytes"}, model.CodeLimit, false},
}

// repeatedGzip is n gzip members of the same content.
func repeatedGzip(t *testing.T, content []byte, n int) []byte {
	t.Helper()
	return bytes.Repeat(gzipped(t, content), n)
}

// TestBombs pulls each from a registry: the error names the limit and its
// value, and nothing is left.
func TestBombs(t *testing.T) {
	t.Parallel()
	for _, b := range bombs {
		t.Run(b.name, func(t *testing.T) {
			reg := newTestRegistry(t)
			layer := b.layer(t)
			id := "sha256:" + strings.Repeat("0", 64) // nobody gets as far as to compare it
			if b.whole {
				id = fmt.Sprintf("sha256:%x", sha256.Sum256(unpackedBytes(layer)))
			}
			config := object{"os": "linux", "architecture": "amd64", "rootfs": object{"type": "layers", "diff_ids": []string{id}}}
			bombed(t, reg.put(t, marshal(t, config), layer), bombLimits(), b.code, b.says)
		})
	}
}

// TestBombsAtDefaults reaches the limits that TestBombs lowers as they are set
// when nobody sets them.
func TestBombsAtDefaults(t *testing.T) {
	t.Parallel()
	for _, b := range []bomb{
		{"a file as large as a header can say", func(t *testing.T) []byte {
			return gzipped(t, block("zeros", '0', map[int]string{fieldSize: base256(math.MaxInt64, 12)}, ""))
		}, []string{"image.output_bytes = 68719476736"}, model.CodeLimit, false},
		{"a file one byte above the limit", func(t *testing.T) []byte {
			return gzipped(t, block("zeros", '0', map[int]string{fieldSize: base256(64<<30+1, 12)}, ""))
		}, []string{"image.output_bytes = 68719476736"}, model.CodeLimit, false},
		{"ten million files", func(t *testing.T) []byte {
			return repeatedGzip(t, bytes.Repeat(block("f", '0', nil, ""), 50_000), 200)
		}, []string{"image.metadata_bytes = 167772160"}, model.CodeLimit, false},
	} {
		t.Run(b.name, func(t *testing.T) {
			reg := newTestRegistry(t)
			config := object{"os": "linux", "architecture": "amd64", "rootfs": object{"type": "layers", "diff_ids": []string{zeroDigest}}}
			bombed(t, reg.put(t, marshal(t, config), b.layer(t)), imagepull.DefaultLimits(), b.code, b.says)
		})
	}
}

// TestBombsOfDocuments has manifests and configurations that are too large.
func TestBombsOfDocuments(t *testing.T) {
	t.Parallel()
	config := func(n int) []byte {
		ids := bytesRepeat("sha256:"+strings.Repeat("0", 64), n)
		return marshal(t, object{"os": "linux", "architecture": "amd64", "rootfs": object{"type": "layers", "diff_ids": ids}})
	}
	t.Run("configuration", func(t *testing.T) {
		large := append(config(1), bytes.Repeat([]byte(" "), 100<<20)...)
		bombed(t, newTestRegistry(t).put(t, large, []byte("x")), bombLimits(), model.CodeLimit, []string{"image.config_bytes = 8388608"})
	})
	t.Run("layers", func(t *testing.T) {
		layers := make([][]byte, 513)
		bombed(t, newTestRegistry(t).put(t, config(513), layers...), bombLimits(), model.CodeLimit, []string{"512"})
	})
	t.Run("manifest", func(t *testing.T) {
		reg := newTestRegistry(t)
		ref := reg.put(t, config(1), []byte("x"))
		reg.Misbehave(func(w http.ResponseWriter, r *http.Request) bool {
			if !isManifest(r) {
				return false
			}
			w.Header().Set("Content-Type", ociManifest)
			for range 100 { // and on and on, of a length that nobody told
				if _, err := w.Write(bytes.Repeat([]byte(" "), 1<<20)); err != nil {
					break
				}
			}
			return true
		})
		bombed(t, ref, bombLimits(), model.CodeLimit, []string{"image.manifest_bytes = 4194304"})
	})
}

// bombed pulls ref and wants it refused without a trace.
func bombed(t *testing.T, ref string, limits imagepull.Limits, code model.Code, says []string) {
	t.Helper()
	r := newRig(t, func(c *imagepull.Config) { c.Limits = limits })
	_, _, err := r.pull(t.Context(), t, ref)
	if model.CodeOf(err) != code {
		t.Errorf("error %v (%s), want %s", err, model.CodeOf(err), code)
	}
	for _, s := range says {
		if err != nil && !strings.Contains(err.Error(), s) {
			t.Errorf("error %v, want %q in it", err, s)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(r.dir, "rootfs-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// put writes an image into the registry as it is, whatever it claims.
func (r *testRegistry) put(t *testing.T, config []byte, layers ...[]byte) string {
	t.Helper()
	manifest := object{"schemaVersion": 2, "mediaType": ociManifest, "config": r.putBlob(t, ociConfig, config)}
	var descriptors []any
	for _, l := range layers {
		descriptors = append(descriptors, r.putBlob(t, ociLayer+"+gzip", l))
	}
	r.send(t, http.MethodPut, "/v2/team/app/manifests/v1", ociManifest, marshal(t, manifest.with("layers", descriptors)))
	return r.Host + "/team/app:v1"
}

func (r *testRegistry) putBlob(t *testing.T, mediaType string, b []byte) object {
	t.Helper()
	digest := fmt.Sprintf("sha256:%x", sha256.Sum256(b))
	r.send(t, http.MethodPost, "/v2/team/app/blobs/uploads/?digest="+digest, "application/octet-stream", b)
	return object{"mediaType": mediaType, "digest": digest, "size": len(b)}
}

func (r *testRegistry) send(t *testing.T, method, path, mediaType string, body []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+r.Host+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", mediaType)
	if rec := r.Answer(req); rec.Code >= 300 {
		b, _ := io.ReadAll(rec.Body)
		t.Fatalf("%s %s: %d %s", method, path, rec.Code, b)
	}
}
