package rpc_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"banger/internal/model"
	"banger/internal/rpc"
	"banger/internal/rpc/server"
)

const stranger = 54321 // a uid that is nobody's here

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("not root: cannot give files to another user")
	}
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestListenMakesAPrivateSocket(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "run")
	path := filepath.Join(dir, "banger.sock")
	l, err := rpc.Listen(t.Context(), path)
	must(t, err)
	for path, want := range map[string]fs.FileMode{dir: 0o700, path: 0o600} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
	must(t, l.Close())
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after Close: %v", err)
	}
}

func TestListenRefuses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		spoil func(t *testing.T, dir, path string)
		root  bool
		code  model.Code
		part  string
	}{
		"a live daemon": {func(t *testing.T, _, path string) {
			l, err := rpc.Listen(t.Context(), path)
			must(t, err)
			t.Cleanup(func() { _ = l.Close() })
		}, false, model.CodeConflict, "a daemon listens"},
		"a file in its place": {func(t *testing.T, _, path string) {
			must(t, os.WriteFile(path, nil, 0o600))
		}, false, model.CodeUnauthorized, "is a plain file"},
		"a link in its place": {func(t *testing.T, dir, path string) {
			must(t, os.Symlink(filepath.Join(dir, "elsewhere"), path))
		}, false, model.CodeUnauthorized, "is a symbolic link"},
		"a linked directory": {func(t *testing.T, dir, _ string) {
			must(t, os.Rename(dir, dir+".real"), os.Symlink(dir+".real", dir))
		}, false, model.CodeUnauthorized, "is a symbolic link"},
		"somebody else's directory": {func(t *testing.T, dir, _ string) {
			must(t, os.Chown(dir, stranger, -1))
		}, true, model.CodeUnauthorized, "owned by somebody else (uid 54321)"},
		"somebody else's socket": {func(t *testing.T, _, path string) {
			leaveStale(t, path)
			must(t, os.Lchown(path, stranger, -1))
		}, true, model.CodeUnauthorized, "owned by somebody else (uid 54321)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.root {
				needRoot(t)
			}
			dir := filepath.Join(t.TempDir(), "run")
			must(t, os.Mkdir(dir, 0o700))
			path := filepath.Join(dir, "banger.sock")
			tc.spoil(t, dir, path)
			_, err := rpc.Listen(t.Context(), path)
			if model.CodeOf(err) != tc.code || !strings.Contains(err.Error(), tc.part) || model.HintOf(err) == "" {
				t.Errorf("Listen = %s %v", model.CodeOf(err), err)
			}
		})
	}
}

// leaveStale makes a socket file that nobody listens on.
func leaveStale(t *testing.T, path string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	must(t, err)
	l.SetUnlinkOnClose(false)
	must(t, l.Close())
}

func TestListenReplacesAStaleSocketAndTightensItsDirectory(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "run")
	must(t, os.Mkdir(dir, 0o755), os.Chmod(dir, 0o755))
	path := filepath.Join(dir, "banger.sock")
	leaveStale(t, path)
	l, err := rpc.Listen(t.Context(), path)
	must(t, err)
	defer l.Close()
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestListenNamesTheLengthOfItsPath(t *testing.T) {
	t.Parallel()
	_, err := rpc.Listen(t.Context(), "/tmp/"+strings.Repeat("x", 103))
	if model.CodeOf(err) != model.CodeInvalid || !strings.Contains(err.Error(), "108 bytes: at most 107") || model.HintOf(err) == "" {
		t.Errorf("Listen = %v", err)
	}
}

func TestClientTellsWhyItCannotConnect(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		spoil func(t *testing.T, dir, path string)
		root  bool
		code  model.Code
		part  string
	}{
		"no directory": {func(t *testing.T, dir, _ string) { must(t, os.Remove(dir)) }, false, model.CodeUnreachable, "no daemon answers"},
		"no socket":    {func(*testing.T, string, string) {}, false, model.CodeUnreachable, "no daemon answers"},
		"stale socket": {func(t *testing.T, _, path string) { leaveStale(t, path) }, false, model.CodeUnreachable, "connection refused"},
		"not a socket": {func(t *testing.T, _, path string) { must(t, os.WriteFile(path, nil, 0o600)) }, false, model.CodeUnauthorized, "is a plain file"},
		"somebody else's directory": {func(t *testing.T, dir, path string) {
			leaveStale(t, path)
			must(t, os.Chown(dir, stranger, -1))
		}, true, model.CodeUnauthorized, "socket directory"},
		"somebody else's socket": {func(t *testing.T, _, path string) {
			leaveStale(t, path)
			must(t, os.Lchown(path, stranger, -1))
		}, true, model.CodeUnauthorized, "is owned by somebody else (uid 54321)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tc.root {
				needRoot(t)
			}
			dir := filepath.Join(t.TempDir(), "run")
			must(t, os.Mkdir(dir, 0o700))
			path := filepath.Join(dir, "banger.sock")
			tc.spoil(t, dir, path)
			api := client(t, path)
			for _, c := range apiCalls() {
				_, err := c.do(t.Context(), api, model.Discard)
				if model.CodeOf(err) != tc.code || !strings.Contains(err.Error(), tc.part) || model.HintOf(err) == "" {
					t.Errorf("%s: %s %v", c.method, model.CodeOf(err), err)
				}
			}
		})
	}
}

// TestConnectionOfAnotherUserIsClosed opens the modes of the socket, so that
// only the check of the peer is left, and connects as somebody else.
func TestConnectionOfAnotherUserIsClosed(t *testing.T) {
	t.Parallel()
	needRoot(t)
	dir, err := os.MkdirTemp("/tmp", "rpc-peer-") //nolint:usetesting // t.TempDir is closed to other users
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	path := filepath.Join(dir, "banger.sock")
	l, err := rpc.Listen(t.Context(), path)
	must(t, err, os.Chmod(dir, 0o755), os.Chmod(path, 0o666))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.New(newFake(), discardLog()).Serve(ctx, l) }()
	defer func() { cancel(); must(t, <-ended) }()
	for uid, want := range map[int]int{0: 100, stranger: 0} {
		conn, err := dialAs(t.Context(), path, uid)
		must(t, err)
		_, _ = io.WriteString(conn, post("/v1/vm.list", "", "{}"))
		if n, _ := conn.Read(make([]byte, 100)); n != want {
			t.Errorf("uid %d got %d bytes", uid, n)
		}
		must(t, conn.Close())
	}
}

// dialAs connects as another user, from a thread that ends with it.
func dialAs(ctx context.Context, path string, uid int) (conn net.Conn, err error) {
	var wg sync.WaitGroup
	wg.Go(func() {
		runtime.LockOSThread() // and never unlocked: the thread is not used again
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), 0); errno != 0 {
			err = errno
			return
		}
		var d net.Dialer
		conn, err = d.DialContext(ctx, "unix", path)
	})
	wg.Wait()
	return conn, err
}
