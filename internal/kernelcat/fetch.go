package kernelcat

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"banger/internal/kernelcat/apt"
	"banger/internal/kernelcat/artifact"
	"banger/internal/model"
	"banger/internal/operation"
)

// fetched is what a source has brought.
type fetched struct {
	source  Source
	what    string            // name and version, for show
	files   []string          // packages, bundles or kernels
	parts   map[string]string // layers of an artifact, by media type
	distro  string
	flavour string
}

// fetch tries the entry's sources in order. A source that cannot serve this
// host gives way to the next; wrong bytes end it at once.
func (s *Service) fetch(ctx context.Context, op *operation.Op, e Entry, st *stage) (fetched, error) {
	var failed []error
	for i, source := range e.Sources {
		dir := st.path(packagesDir)
		if err := errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700)); err != nil {
			return fetched{}, fmt.Errorf("making a staging directory: %w", err)
		}
		got, err := s.fetchFrom(ctx, op, source, dir)
		if err == nil {
			got.source = source
			return got, nil
		}
		err = fmt.Errorf("%s: %w", source, err)
		if code := model.CodeOf(err); code == model.CodeIntegrity || code == model.CodeNoSpace || ctx.Err() != nil {
			return fetched{}, err
		}
		if i+1 < len(e.Sources) {
			op.Report(model.Progress{Note: source.String() + " " + why(err) + ": trying " + e.Sources[i+1].String()})
		}
		failed = append(failed, err)
	}
	return fetched{}, noSource(e, failed)
}

// why says in a few words what is wrong with a source.
func why(err error) string {
	switch model.CodeOf(err) {
	case model.CodeUnreachable, model.CodeTimeout:
		return "cannot be reached"
	case model.CodeNotFound:
		return "does not have it"
	case model.CodeUnauthorized:
		return "asks for a login"
	default:
		return "cannot serve this host"
	}
}

// fetchFrom brings what one source has into dir.
func (s *Service) fetchFrom(ctx context.Context, op *operation.Op, source Source, dir string) (fetched, error) {
	note := func(text string) { op.Report(model.Progress{Note: text}) }
	switch {
	case source.OCI != "":
		return s.fetchArtifact(ctx, source, dir, note)
	case source.URL != "":
		return s.fetchURL(ctx, source, dir, note)
	case len(source.Files) > 0:
		return fetched{what: "files of this host", files: source.Files}, checkFiles(source.Files)
	default:
		return s.fetchPackage(ctx, source, dir, note)
	}
}

func (s *Service) fetchPackage(ctx context.Context, source Source, dir string, note func(string)) (fetched, error) {
	req := apt.Request{Distro: source.Distro, Suite: source.Suite, Package: source.Package}
	got, err := s.cfg.Packages.Download(ctx, req, dir, note)
	return fetched{what: got.Package + " " + got.Version, files: got.Files, distro: source.Distro}, err
}

func (s *Service) fetchArtifact(ctx context.Context, source Source, dir string, note func(string)) (fetched, error) {
	if s.cfg.Artifacts == nil {
		return fetched{}, model.Errorf(model.CodeUnsupported, "kernels cannot be pulled from registries here")
	}
	ref, err := source.reference(s.cfg.Registry)
	if err != nil {
		return fetched{}, err
	}
	fits := func(info artifact.Info) error {
		if info.Arch != s.cfg.Arch {
			return model.Errorf(model.CodeUnsupported, "the kernel is for %q: guests here are %s", model.Printable(info.Arch), s.cfg.Arch)
		}
		return nil
	}
	got, err := s.cfg.Artifacts.Pull(ctx, ref, dir, fits, note)
	what := got.Digest
	if ref != source.OCI {
		what = ref + " " + what
	}
	return fetched{
		what: what, parts: got.Parts,
		distro: model.Printable(got.Info.Distro), flavour: model.Printable(got.Info.Flavour),
	}, err
}

// checkFiles makes a source whose files are missing give way to the next.
func checkFiles(files []string) error {
	for _, name := range files {
		if _, err := os.Stat(name); err != nil {
			return model.Errorf(model.CodeNotFound, "reading kernel files: %w", err)
		}
	}
	return nil
}

// noSource sums up why no source worked. What could be otherwise next time
// (an unreachable mirror) says more than what this host is not.
func noSource(e Entry, failed []error) error {
	cause := failed[0]
	reasons := make([]string, 0, len(failed))
	for _, err := range failed {
		reasons = append(reasons, err.Error())
		if model.CodeOf(cause) == model.CodeUnsupported {
			cause = err
		}
	}
	err := model.Errorf(model.CodeOf(cause), "no source of kernel %s works here: %s", e.Name, strings.Join(reasons, "; "))
	if hint := model.HintOf(cause); hint != "" {
		return err.WithHint("%s", hint)
	}
	return err.WithHint("import a kernel that you have: banger kernel import --kernel-path FILE NAME")
}
