package rpc

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"banger/internal/model"
)

// maxSocketPath is the longest path of a unix socket in bytes: sun_path of
// sockaddr_un (unix(7)) less the final NUL.
const maxSocketPath = 107

// Listen makes the socket that a daemon serves. Its directory is made when it
// is absent.
//
//	path       short enough for a socket
//	directory  ours, not a link, 0700
//	stale      a socket that nobody listens on is removed; a live one is a CodeConflict
//	listen     0600; connections of other users but root are closed
func Listen(ctx context.Context, path string) (net.Listener, error) {
	if len(path) > maxSocketPath {
		return nil, model.Errorf(model.CodeInvalid, "socket path %s has %d bytes: at most %d are allowed", path, len(path), maxSocketPath).
			WithHint("set BANGER_HOME or XDG_RUNTIME_DIR to a shorter directory")
	}
	if err := makeSocketDir(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if err := removeStale(ctx, path); err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "unix", path)
	if err != nil {
		return nil, model.Errorf(model.CodeInternal, "listening on %s: %w", path, err)
	}
	// Until here the directory alone keeps others out.
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(model.Errorf(model.CodeInternal, "listening on %s: %w", path, err), l.Close())
	}
	return ownerListener{l}, nil
}

// CheckSocket refuses a socket that somebody else has put in our daemon's
// place, and says when there is none.
func CheckSocket(path string) error {
	if err := checkOwner(filepath.Dir(path), "socket directory", fs.ModeDir); err != nil {
		return err
	}
	return checkOwner(path, "socket", fs.ModeSocket)
}

// makeSocketDir makes sure of a directory that nobody else can put files in.
func makeSocketDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return model.Errorf(model.CodeInternal, "making the socket directory: %w", err)
	}
	if err := checkOwner(dir, "socket directory", fs.ModeDir); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return model.Errorf(model.CodeInternal, "making the socket directory: %w", err)
	}
	return nil
}

// checkOwner checks that path is of that type, not a link, and ours.
func checkOwner(path, noun string, want fs.FileMode) error {
	info, err := os.Lstat(path)
	if err != nil {
		return notRunning(path, err)
	}
	if info.Mode().Type() != want {
		return model.Errorf(model.CodeUnauthorized, "%s %s is a %s", noun, path, describe(info.Mode())).
			WithHint("remove it, or set BANGER_HOME to another directory")
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return model.Errorf(model.CodeUnsupported, "%s %s: its owner is not known", noun, path)
	}
	if int(stat.Uid) != os.Geteuid() {
		return model.Errorf(model.CodeUnauthorized, "%s %s is owned by somebody else (uid %d)", noun, path, stat.Uid).
			WithHint("run the command as that user, or set BANGER_HOME to a directory of yours")
	}
	return nil
}

func describe(mode fs.FileMode) string {
	switch mode.Type() {
	case fs.ModeSymlink:
		return "symbolic link"
	case fs.ModeDir:
		return "directory"
	case fs.ModeSocket:
		return "socket"
	case 0:
		return "plain file"
	}
	return "special file"
}

// removeStale removes a socket that no daemon listens on any more. Only the
// holder of the daemon's lock may come here, so that it cannot be another's
// that is about to listen.
func removeStale(ctx context.Context, path string) error {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := checkOwner(path, "socket", fs.ModeSocket); err != nil {
		return err
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if err == nil {
		_ = conn.Close()
		return model.Errorf(model.CodeConflict, "a daemon listens on %s already", path).
			WithHint("`banger system shutdown` ends it; VMs go on")
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return model.Errorf(model.CodeInternal, "looking for a daemon on %s: %w", path, err)
	}
	if err := os.Remove(path); err != nil {
		return model.Errorf(model.CodeInternal, "removing a stale socket: %w", err)
	}
	return nil
}

// ownerListener accepts connections of our own user and of root only.
type ownerListener struct{ net.Listener }

func (l ownerListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if checkPeer(conn) == nil {
			return conn, nil
		}
		_ = conn.Close()
	}
}

// checkPeer asks the kernel who is at the other end (SO_PEERCRED, unix(7)).
func checkPeer(conn net.Conn) error {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return model.Errorf(model.CodeUnauthorized, "the connection is not a socket")
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return model.Errorf(model.CodeUnauthorized, "asking who is connected: %w", err)
	}
	var cred *unix.Ucred
	var credErr error
	err = raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(err, credErr); err != nil {
		return model.Errorf(model.CodeUnauthorized, "asking who is connected: %w", err)
	}
	if uid := int(cred.Uid); uid != 0 && uid != os.Geteuid() {
		return model.Errorf(model.CodeUnauthorized, "the other end of the socket is somebody else (uid %d)", uid)
	}
	return nil
}
