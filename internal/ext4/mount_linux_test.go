package ext4_test

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"

	"banger/internal/ext4"
)

// TestKernelMount lets the kernel read a tree, write to it and grow it.
func TestKernelMount(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root")
	}
	m := newImage(t)
	root := dir(tree{
		"files": filesTree(m), "kinds": kindsTree(m), "names": namesTree(m), "links": linksTree(m), "attributes": xattrTree(m),
		"owners": ownersTree(m), "times": timesTree(m), "directories": directorySizesTree(m), "fragmented": fragmentedTree(m),
	})
	m.finish(root, 256*mib)
	at := t.TempDir()
	log := kernelLog(t)
	device := attach(t, m.path)
	mount(t, device, at)
	if diff := cmp.Diff(m.wanted(root), m.mounted(at), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("the mounted filesystem differs (-want +got):\n%s", diff)
	}
	useMounted(t, at)
	growMounted(t, m, device, at)
	if err := unix.Unmount(at, 0); err != nil {
		t.Fatal(err)
	}
	fsck(t, m.path)
	for _, line := range newLines(log, kernelLog(t)) {
		if strings.Contains(line, "EXT4-fs") && strings.Contains(line, filepath.Base(device)) && isComplaint(line) {
			t.Errorf("the kernel says %q", line)
		}
	}
}

func isComplaint(line string) bool {
	for _, word := range []string{"warning", "error", "corrupt", "failed", "inconsistent"} {
		if strings.Contains(line, word) {
			return true
		}
	}
	return false
}

// useMounted finds, makes and removes names in directories of all sizes.
func useMounted(t *testing.T, at string) {
	t.Helper()
	for _, n := range []string{"1", "203", "204", "5000"} {
		sub := filepath.Join(at, "directories", n)
		if _, err := os.Lstat(filepath.Join(sub, name(0))); err != nil {
			t.Error(err)
		}
		for i := range 3000 {
			writeFile(t, filepath.Join(sub, "new-"+name(i)), "x")
		}
		for i := range 1500 {
			if err := os.Remove(filepath.Join(sub, "new-"+name(i))); err != nil {
				t.Error(err)
			}
		}
	}
}

// growMounted grows the filesystem on line, if this machine lets root do so.
func growMounted(t *testing.T, m *image, device, at string) {
	t.Helper()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var caps [2]unix.CapUserData
	if err := unix.Capget(&header, &caps[0]); err != nil || caps[0].Effective&(1<<unix.CAP_SYS_RESOURCE) == 0 {
		t.Logf("not grown on line: no CAP_SYS_RESOURCE, %v", err)
		return
	}
	if err := os.Truncate(m.path, 9*gib); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"losetup", "-c", device}, {"resize2fs", device}} {
		if out, err := exec.CommandContext(t.Context(), tool(t, args[0]), args[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	var stat unix.Statfs_t
	if err := unix.Statfs(at, &stat); err != nil || int64(stat.Blocks)*stat.Bsize < 8*gib {
		t.Errorf("grown to %d blocks, %v", stat.Blocks, err)
	}
}

// attach makes a loop device of the image.
func attach(t *testing.T, path string) string {
	t.Helper()
	losetup := tool(t, "losetup")
	out, err := exec.CommandContext(t.Context(), losetup, "-f", "--show", path).CombinedOutput()
	if err != nil {
		t.Skipf("no loop device: %s", out)
	}
	device := strings.TrimSpace(string(out))
	t.Cleanup(func() {
		if out, err := exec.CommandContext(context.WithoutCancel(t.Context()), losetup, "-d", device).CombinedOutput(); err != nil {
			t.Errorf("losetup -d: %v\n%s", err, out)
		}
	})
	return device
}

func mount(t *testing.T, device, at string) {
	t.Helper()
	if err := unix.Mount(device, at, "ext4", unix.MS_NOATIME|unix.MS_NODEV|unix.MS_NOSUID, ""); err != nil {
		t.Skipf("cannot mount: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(at, unix.MNT_DETACH) })
}

// mounted lists a mounted filesystem as the kernel sees it.
func (m *image) mounted(at string) map[string]fact {
	m.t.Helper()
	facts := map[string]fact{}
	err := filepath.WalkDir(at, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		inside := "/" + strings.TrimPrefix(strings.TrimPrefix(path, at), "/")
		if inside == "/lost+found" {
			return filepath.SkipDir
		}
		facts[inside], err = mountedFact(path)
		return err
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return facts
}

func mountedFact(path string) (fact, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return fact{}, err
	}
	f := fact{
		Mode: st.Mode, UID: st.Uid, GID: st.Gid, Links: uint32(st.Nlink), Size: st.Size,
		MTime: time.Unix(st.Mtim.Unix()), Major: unix.Major(st.Rdev), Minor: unix.Minor(st.Rdev),
	}
	var err error
	switch st.Mode & 0o170000 {
	case sIFDIR:
		f.Links, f.Size = 0, 0
	case sIFLNK:
		f.Link, err = os.Readlink(path)
	case sIFREG:
		f.Content, err = fileSum(path)
	}
	if err != nil {
		return f, err
	}
	f.Xattrs, err = mountedXattrs(path)
	return f, err
}

func fileSum(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	content, err := io.ReadAll(file)
	return sha(content), err
}

func mountedXattrs(path string) (map[string][]byte, error) {
	list := make([]byte, 64<<10)
	n, err := unix.Llistxattr(path, list)
	if err != nil {
		return nil, err
	}
	attrs := map[string][]byte{}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(list[:n]), "\x00"), "\x00") {
		if name == "" {
			continue
		}
		value := make([]byte, 64<<10)
		n, err := unix.Lgetxattr(path, name, value)
		if err != nil {
			return nil, err
		}
		attrs[name] = value[:n]
	}
	return attrs, nil
}

// kernelLog returns the kernel's messages, or nothing when they cannot be read.
func kernelLog(t *testing.T) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "dmesg").Output()
	if err != nil {
		t.Logf("no dmesg: %v", err)
		return nil
	}
	return strings.Split(string(out), "\n")
}

// newLines returns the lines of now that were not there before.
func newLines(before, now []string) []string {
	old := map[string]bool{}
	for _, line := range before {
		old[line] = true
	}
	var added []string
	for _, line := range now {
		if !old[line] {
			added = append(added, line)
		}
	}
	return added
}

// TestFreedSpace: the blocks of discarded bodies are holes in the file.
func TestFreedSpace(t *testing.T) {
	t.Parallel()
	m := newImage(t)
	m.body(pattern(1, 64*mib))
	root := dir(tree{"kept": m.reg("x")})
	for range 50 {
		m.body(pattern(2, mib))
	}
	root.Children["also kept"] = m.reg("y")
	m.finish(root, 256*mib)
	var st unix.Stat_t
	if err := unix.Stat(m.path, &st); err != nil {
		t.Fatal(err)
	}
	if st.Blocks*512 > 4*mib {
		t.Errorf("the file takes %d bytes", st.Blocks*512)
	}
	m.verify(root)
}

var _ ext4.File = (*os.File)(nil)
