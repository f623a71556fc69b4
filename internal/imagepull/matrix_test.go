package imagepull_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"banger/internal/imagepull"
	"banger/internal/model"
)

// outcomes tells what became of each archive in each place: the digest of the
// file system, or the error.
type outcomes map[string]string

// TestAttacks builds every hostile archive as a layer, as a layer above
// another and as an archive of a root filesystem. What is accepted has the tree
// that is wanted and passes e2fsck; what is refused leaves nothing. An ordinary
// user gets the same as root, to the byte.
func TestAttacks(t *testing.T) {
	t.Parallel()
	all := attacks(t)
	seen := map[[32]byte]bool{}
	for _, a := range all {
		seen[sha256.Sum256(append(a.lower, a.blob...))] = true
	}
	if len(seen) < 400 {
		t.Errorf("%d different archives, want 400", len(seen))
	}
	t.Logf("%d archives, %d of them different", len(all), len(seen))
	report := os.Getenv("BANGER_TEST_OUTCOMES")
	mine := runAttacks(t, all)
	if report != "" {
		if err := os.WriteFile(report, marshal(t, mine), 0o600); err != nil {
			t.Error(err)
		}
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("no root: nothing to compare an ordinary user with")
	}
	if diff := cmp.Diff(mine, asNobody(t)); diff != "" {
		t.Errorf("an ordinary user gets something else (-root +user)\n%s", diff)
	}
}

// asNobody runs the test in a child process as an ordinary user.
func asNobody(t *testing.T) outcomes {
	t.Helper()
	dir, err := os.MkdirTemp("", "imagepull-user-") //nolint:usetesting // t.TempDir lies in a directory that other users cannot enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	const nobody = 65534
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	program, report := filepath.Join(dir, "imagepull.test"), filepath.Join(dir, "outcomes.json")
	copyProgram(t, program)
	cmd := exec.CommandContext(t.Context(), program, "-test.run=^TestAttacks$", "-test.timeout=5m")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "BANGER_TEST_OUTCOMES="+report, "TMPDIR="+dir, "HOME="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("as an ordinary user: %v\n%s", err, out)
	}
	b, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	var theirs outcomes
	if err := json.Unmarshal(b, &theirs); err != nil {
		t.Fatal(err)
	}
	return theirs
}

// copyProgram copies this program to where others may run it.
func copyProgram(t *testing.T, to string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o755); err != nil {
		t.Fatal(err)
	}
}

// runAttacks builds all, a few at a time. An ordinary user leaves e2fsck to
// root, who has the same file systems.
func runAttacks(t *testing.T, all []attack) outcomes {
	t.Helper()
	work := inMemory(t)
	canary := filepath.Join(work, "canary")
	if err := os.WriteFile(canary, []byte("sings"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := newRigIn(t, inMemory(t), nil)
	fsck := ""
	if os.Geteuid() == 0 {
		fsck = needs(t, "e2fsck")
	}
	run := &attackRun{t: t, r: r, work: work, fsck: fsck, got: outcomes{}}
	base := archive(t, dir("zz-base"), file("zz-base/f", "base"), hardlink("zz-base/g", "zz-base/f"))
	var group errgroup.Group
	group.SetLimit(3)
	for i, a := range all {
		group.Go(func() error {
			run.attack(i, a, base)
			return nil
		})
	}
	_ = group.Wait()
	if b, err := os.ReadFile(canary); err != nil || string(b) != "sings" {
		t.Errorf("canary: %q, %v", b, err)
	}
	left, err := os.ReadDir(work)
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if left := r.files(t, "ingest"); len(left) > 0 {
		t.Errorf("left in the cache: %v", left)
	}
	return run.got
}

// inMemory is a directory for thousands of small file systems, each of which
// waits for a disk otherwise; an ordinary one where there is none in memory.
func inMemory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "imagepull-") //nolint:usetesting // t.TempDir lies on a disk
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// attackRun is what builds of one TestAttacks share.
type attackRun struct {
	t          *testing.T
	r          *rig
	work, fsck string

	mu  sync.Mutex
	got outcomes
}

// attack builds an archive in each place that it can stand in.
func (run *attackRun) attack(i int, a attack, base []byte) {
	layers := [][]byte{a.blob}
	if a.lower != nil {
		layers = [][]byte{a.lower, a.blob}
	}
	below := "/zz-base dir\n/zz-base/f file \"base\" #0\n/zz-base/g file \"base\" #0"
	if strings.Contains(a.name, "opaque root") {
		below = ""
	}
	run.build(fmt.Sprint(i, " above"), a, below, append([][]byte{base}, layers...))
	run.build(fmt.Sprint(i, " layer"), a, "", layers)
	if a.lower == nil && len(a.blob) > 0 {
		run.build(fmt.Sprint(i, " archive"), a, "", layers)
	}
}

// build makes a file system and compares it with what is wanted.
func (run *attackRun) build(place string, a attack, below string, layers [][]byte) {
	path := filepath.Join(run.work, strings.ReplaceAll(place, " ", "-"))
	defer os.Remove(path)
	err := run.make(place, path, layers)
	run.note(place, a.name, path, err)
	where := place + ": " + a.name
	if err != nil || a.code != "" {
		if model.CodeOf(err) != a.code || err != nil && !strings.Contains(err.Error(), a.says) {
			run.t.Errorf("%s: error %v (%s), want %q with %q", where, err, model.CodeOf(err), a.code, a.says)
		}
		if _, statErr := os.Lstat(path); statErr == nil && err != nil {
			run.t.Errorf("%s: a file was left", where)
		}
		return
	}
	if diff := cmp.Diff(split(a.want+"\n"+below), split(listImage(run.t, path))); diff != "" {
		run.t.Errorf("%s: (-want +got)\n%s", where, diff)
	}
	if run.fsck != "" {
		if out, err := exec.CommandContext(run.t.Context(), run.fsck, "-fn", path).CombinedOutput(); err != nil {
			run.t.Errorf("%s: e2fsck: %v\n%s", where, err, out)
		}
	}
}

func (run *attackRun) make(place, path string, layers [][]byte) error {
	ref, clean := run.store(place, layers)
	defer clean()
	parsed, err := imagepull.ParseRef(ref)
	if err != nil {
		return err
	}
	ctx := context.Background()
	img, err := run.r.Resolve(ctx, parsed, "linux/amd64", model.Discard)
	if err != nil {
		return err
	}
	_, err = run.r.BuildExt4(ctx, img, path, imagepull.BuildOptions{SizeBytes: 8 << 20, Stage: func(string) {}}, model.Discard)
	return err
}
