package kernelcat

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"

	"banger/internal/model"
)

// maxURLBytes bounds what is downloaded from one URL.
const maxURLBytes = 2 << 30

// fetchURL downloads one file and checks it against the source's digest. A
// server that cannot be reached is CodeUnreachable, another file
// CodeIntegrity.
func (s *Service) fetchURL(ctx context.Context, source Source, dir string, note func(string)) (fetched, error) {
	note("downloading " + source.URL)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, source.URL, nil)
	if err != nil {
		return fetched{}, model.Errorf(model.CodeInvalid, "reading a source's URL: %w", err)
	}
	resp, err := (&http.Client{Transport: s.cfg.Web}).Do(req)
	if err != nil {
		return fetched{}, unreachable(ctx, err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound, http.StatusGone:
		return fetched{}, model.Errorf(model.CodeNotFound, "the server answered %s", resp.Status)
	default:
		return fetched{}, model.Errorf(model.CodeUnreachable, "the server answered %s", resp.Status)
	}
	file := filepath.Join(dir, "download")
	if err := saveVerified(ctx, resp.Body, file, source.SHA256); err != nil {
		return fetched{}, err
	}
	return fetched{what: path.Base(req.URL.Path), files: []string{file}}, nil
}

func unreachable(ctx context.Context, err error) error {
	var known *model.Error
	switch {
	case errors.As(err, &known):
		return known
	case ctx.Err() != nil:
		return model.Errorf(model.CodeCanceled, "downloading: %w", ctx.Err())
	}
	return model.Errorf(model.CodeUnreachable, "the server cannot be reached: %w", err)
}

// saveVerified writes r to a new file and checks its digest.
func saveVerified(ctx context.Context, r io.Reader, file, want string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("keeping a download: %w", err)
	}
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(writeOnly{f}, h), io.LimitReader(r, maxURLBytes+1))
	if cerr := f.Close(); err == nil && cerr != nil {
		err = writeError("a download", cerr)
	}
	switch {
	case err != nil:
		return downloadError(ctx, err)
	case n > maxURLBytes:
		return model.Errorf(model.CodeLimit, "the download has more than %d bytes", int64(maxURLBytes))
	case hex.EncodeToString(h.Sum(nil)) != want:
		return model.Errorf(model.CodeIntegrity, "the download has sha256 %x: the catalog says %s", h.Sum(nil), want)
	}
	return nil
}

// writeOnly tells a full disk from a server that went away.
type writeOnly struct{ f *os.File }

func (w writeOnly) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	if err != nil {
		err = writeError("a download", err)
	}
	return n, err
}

func downloadError(ctx context.Context, err error) error {
	var known *model.Error
	var local *os.PathError
	if errors.As(err, &known) || errors.As(err, &local) {
		return err
	}
	return unreachable(ctx, err)
}
