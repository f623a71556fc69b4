package imagepull

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"time"

	"banger/internal/model"
	"banger/internal/run"
)

const (
	mmdebstrapTimeout = 20 * time.Minute
	mmdebstrapGrace   = 10 * time.Second // to remove its own temporary files
)

// debootSpec says what mmdebstrap is to make. Epoch, in seconds since 1970,
// stands in for the times of what is made on the way, so that the same
// packages give the same bytes.
type debootSpec struct {
	Suite    string   `json:"suite"`
	Variant  string   `json:"variant"`
	Packages []string `json:"packages"`
	Epoch    int64    `json:"epoch"`
}

// mmdebstrap is a Debian root filesystem that is made from packages on this
// host, by root or by an ordinary user alike.
type mmdebstrap struct {
	program string
	spec    debootSpec
	scratch *scratch
}

func (s *mmdebstrap) String() string { return "mmdebstrap" }

func (s *mmdebstrap) resolve(_ context.Context, want Platform, _ model.Report) (*Image, error) {
	if want.Arch != runtime.GOARCH {
		return nil, model.Errorf(model.CodeUnsupported, "mmdebstrap makes images for this host's CPU only, not for %s", want)
	}
	if _, err := exec.LookPath(s.program); err != nil {
		return nil, missingProgram(err)
	}
	config := plainConfig(want)
	config.Cmd = []string{"bash"}
	return &Image{
		Key:     "mmdebstrap:" + strings.Join(append([]string{s.spec.Suite, s.spec.Variant, want.Arch}, s.spec.Packages...), ","),
		Source:  model.ImageSource{Kind: KindMmdebstrap, Platform: want.String()},
		Config:  config,
		Created: time.Unix(s.spec.Epoch, 0).UTC(),
		layers:  []layer{{open: s.open, live: true}},
	}, nil
}

// args is the command line. No mirror is given: mmdebstrap knows the one of
// the suite. The host's name and name servers stay out of the image.
func (s *mmdebstrap) args() []string {
	args := []string{
		"--mode=auto", "--format=tar", "--variant=" + s.spec.Variant,
		"--aptopt=Acquire::Retries \"2\"",
		"--aptopt=Acquire::http::Timeout \"20\"",
		`--customize-hook=rm -f "$1/etc/hostname" "$1/etc/resolv.conf"`,
	}
	if len(s.spec.Packages) > 0 {
		args = append(args, "--include="+strings.Join(s.spec.Packages, ","))
	}
	return append(args, s.spec.Suite, "-")
}

// open starts mmdebstrap; what it writes is the archive.
func (s *mmdebstrap) open(ctx context.Context, report model.Report) (io.ReadCloser, error) {
	report(model.Progress{Note: fmt.Sprintf("making Debian %s from packages, which takes about a minute", s.spec.Suite)})
	if err := s.scratch.sweep(ctx); err != nil {
		report(model.Progress{Note: "from an earlier time: " + err.Error()})
	}
	dir, remove, err := s.scratch.open(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, mmdebstrapTimeout)
	out, err := run.Stream(ctx, run.Cmd{
		Name:   s.program,
		Args:   s.args(),
		Env:    []string{fmt.Sprintf("SOURCE_DATE_EPOCH=%d", s.spec.Epoch), "TMPDIR=" + dir},
		Stderr: &progressLines{report: report},
		Grace:  mmdebstrapGrace,

		OwnMounts: run.CanMount(), // else those of the host's in its directory would stay when it is killed
	})
	if err != nil {
		cancel()
		return nil, errors.Join(mmdebstrapError(err), remove())
	}
	return &mmdebstrapOutput{Output: out, cancel: cancel, remove: remove}, nil
}

// mmdebstrapOutput classes the error that the archive ends with.
type mmdebstrapOutput struct {
	*run.Output
	cancel context.CancelFunc
	remove func() error // of its temporary files
}

func (o *mmdebstrapOutput) Read(p []byte) (int, error) {
	n, err := o.Output.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = mmdebstrapError(err)
	}
	return n, err
}

func (o *mmdebstrapOutput) Close() error {
	defer o.cancel()
	return errors.Join(o.Output.Close(), o.remove())
}

// progressLines passes on the steps that mmdebstrap tells: "I: running ...".
type progressLines struct {
	report model.Report
	line   []byte
}

func (w *progressLines) Write(p []byte) (int, error) {
	const longest = 200
	for _, c := range p {
		if c != '\n' && c != '\r' {
			w.line = append(w.line, c)[:min(len(w.line)+1, longest)]
			continue
		}
		if step, ok := bytes.CutPrefix(w.line, []byte("I: ")); ok && bytes.HasSuffix(step, []byte("...")) {
			w.report(model.Progress{Note: "mmdebstrap: " + model.Printable(string(step))})
		}
		w.line = w.line[:0]
	}
	return len(p), nil
}

var (
	noNetwork = regexp.MustCompile(`(?i)could not resolve|temporary failure resolving|unable to connect|could not connect|connection timed out|failed to fetch|network is unreachable`)
	noKeys    = regexp.MustCompile(`(?i)NO_PUBKEY|not signed|keyring`)
	noSubIDs  = regexp.MustCompile(`(?i)subuid|subgid|newuidmap|unshare`)
)

// mmdebstrapError classes a failure of mmdebstrap by what it said.
func mmdebstrapError(err error) error {
	var failed *run.Error
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return missingProgram(err)
	case errors.Is(err, context.DeadlineExceeded):
		return model.Errorf(model.CodeTimeout, "mmdebstrap did not end within %v: %w", mmdebstrapTimeout, err)
	case !errors.As(err, &failed):
		return err
	case noNetwork.MatchString(failed.Output):
		return model.Errorf(model.CodeUnreachable, "the Debian mirror cannot be reached: %w", err).
			WithHint("check this host's network; APT's proxy settings are used")
	case noKeys.MatchString(failed.Output):
		return model.Errorf(model.CodeIntegrity, "Debian's signatures cannot be checked: %w", err).
			WithHint("install Debian's keys: apt install debian-archive-keyring")
	case noSubIDs.MatchString(failed.Output):
		return model.Errorf(model.CodeUnsupported, "mmdebstrap needs subordinate ids to run without root: %w", err).
			WithHint("install uidmap and add this user to /etc/subuid and /etc/subgid")
	}
	return model.Errorf(model.CodeUnsupported, "making a Debian root filesystem: %w", err)
}

func missingProgram(err error) error {
	return model.Errorf(model.CodeUnsupported, "mmdebstrap is not installed: %w", err).
		WithHint("apt install mmdebstrap debian-archive-keyring")
}
