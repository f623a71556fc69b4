package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"banger/internal/ext4"
	"banger/internal/model"
	"banger/internal/run"
)

// e2fsckTimeout bounds a check by e2fsck.
const e2fsckTimeout = 10 * time.Minute

// Exit codes of e2fsck(8): bits.
const (
	fsckCorrected = 1
	fsckReboot    = 2
)

// checkClean opens a root filesystem and refuses one that was not unmounted:
// what is only in its journal would be missing in every clone.
func checkClean(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return model.Errorf(model.CodeNotFound, "opening the root filesystem: %w", err)
	}
	defer f.Close()
	fs, err := ext4.Open(f)
	if err != nil {
		return filesystemError(path, err)
	}
	sb := fs.Superblock()
	if !sb.Clean || sb.NeedsRecovery {
		return model.Errorf(model.CodeConflict, "%s was not unmounted: its journal holds changes, or it has errors", path).
			WithHint("repair it first: e2fsck -f %s", path)
	}
	return nil
}

func filesystemError(path string, err error) error {
	switch {
	case errors.Is(err, ext4.ErrUnsupported):
		return model.Errorf(model.CodeUnsupported, "reading %s: %w", path, err)
	case errors.Is(err, ext4.ErrCorrupt):
		return model.Errorf(model.CodeIntegrity, "reading %s: %w", path, err).WithHint("see e2fsck -fn %s", path)
	}
	return model.Errorf(model.CodeInvalid, "reading %s: %w", path, err)
}

// errNoFsck says that e2fsck is not installed.
var errNoFsck = errors.New("e2fsck is not installed")

// fsckReadOnly lets e2fsck look at a filesystem; it finds nothing, or the
// error tells what. Without e2fsck it is errNoFsck.
func fsckReadOnly(ctx context.Context, path string) error {
	_, err := fsck(ctx, "-fn", path)
	return err
}

// fsckReplay lets e2fsck replay the journal of a filesystem of ours and repair
// what is wrong.
func fsckReplay(ctx context.Context, path string) error {
	code, err := fsck(ctx, "-fy", path)
	if code&^(fsckCorrected|fsckReboot) == 0 {
		return nil
	}
	return err
}

// fsck runs e2fsck; a code of -1 means that it did not run to its end.
func fsck(ctx context.Context, mode, path string) (code int, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, e2fsckTimeout, fmt.Errorf("e2fsck took more than %v", e2fsckTimeout))
	defer cancel()
	res, err := run.Command(ctx, run.Cmd{Name: "e2fsck", Args: []string{mode, "--", path}})
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return -1, errNoFsck
	case err != nil && res.ExitCode < 0:
		return -1, fmt.Errorf("running e2fsck: %w", err)
	case err != nil:
		return res.ExitCode, model.Errorf(model.CodeIntegrity, "e2fsck finds errors in %s: %s", path, firstLines(res.Stdout))
	}
	return 0, nil
}

// firstLines returns the beginning of what e2fsck tells, on one line.
func firstLines(out []byte) string {
	const most = 300
	text := strings.Join(strings.Fields(string(out[:min(len(out), most)])), " ")
	return model.Printable(text)
}
