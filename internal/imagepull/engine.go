package imagepull

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"banger/internal/model"
)

// maxInspect bounds what an engine says of an image, in bytes.
const maxInspect = 4 << 20

// engine is an image that a docker or a podman on this host has. Both answer
// docker's API on a unix socket (Docker Engine API, "Inspect an image" and
// "Export an image"); the export is read as any archive of docker save.
type engine struct {
	puller *Puller
	kind   string
	name   string
}

var engineID = regexp.MustCompile(`^(sha256:)?[0-9a-f]{12,64}$`)

// parseEngineRef checks an image's name as docker and podman know it: a
// reference or an id.
func parseEngineRef(kind, image string) (Ref, error) {
	r := Ref{kind: kind, text: kind + ":" + image, path: image}
	if engineID.MatchString(image) {
		return r, nil
	}
	parsed, err := name.ParseReference(image)
	if err == nil {
		err = checkGrammar(parsed)
	}
	if err != nil {
		return r, model.Errorf(model.CodeInvalid, "%.200q is no image of %s: %w", image, kind, err).
			WithHint("write %s:NAME[:TAG] or %s:ID", kind, kind)
	}
	if _, tagged := parsed.(name.Tag); tagged && !strings.HasSuffix(image, ":"+parsed.Identifier()) {
		r.path += ":" + parsed.Identifier() // else all tags are exported
		r.text = kind + ":" + r.path
	}
	return r, nil
}

// engineImageName is Ref.DefaultName for the name that an engine knows.
func engineImageName(image string) string {
	if engineID.MatchString(image) {
		id := strings.TrimPrefix(image, "sha256:")
		return objectName(id[:min(12, len(id))], "")
	}
	if r, err := parseRegistryRef(image); err == nil {
		return r.DefaultName()
	}
	return ""
}

func (e *engine) String() string { return e.program() + " image " + e.name }

// program is what users call the engine.
func (e *engine) program() string {
	if e.kind == KindPodman {
		return "podman"
	}
	return "docker"
}

func (e *engine) resolve(ctx context.Context, want Platform, report model.Report) (*Image, error) {
	client, err := e.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer client.CloseIdleConnections()
	if err := e.inspect(ctx, client); err != nil {
		return nil, err
	}
	kept, err := e.export(ctx, client, report)
	if err != nil {
		return nil, err
	}
	archive := &dockerArchive{puller: e.puller, src: kept}
	img, err := archive.resolve(ctx, want, report)
	if err != nil {
		return nil, errors.Join(err, kept.close())
	}
	img.Source.Kind = e.kind
	return img, nil
}

// connect returns a client of the first socket that answers.
func (e *engine) connect(ctx context.Context) (*http.Client, error) {
	sockets, err := e.sockets()
	if err != nil {
		return nil, err
	}
	var failed error
	for _, socket := range sockets {
		dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "unix", socket)
		}
		conn, err := dial(ctx, "", "")
		if err != nil {
			failed = err
			continue
		}
		_ = conn.Close()
		return &http.Client{
			Transport: &http.Transport{
				DialContext: dial, ResponseHeaderTimeout: e.puller.limits.Stall,
				MaxResponseHeaderBytes: 64 << 10, DisableCompression: true,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}, nil
	}
	return nil, e.unreachable(failed)
}

func (e *engine) unreachable(err error) error {
	hint := "start it: systemctl start docker"
	if e.kind == KindPodman {
		hint = "start it: systemctl --user start podman.socket"
	}
	return model.Errorf(model.CodeUnreachable, "%s does not answer: %w", e.program(), err).
		WithHint("%s; or: %s save %s | banger image pull --name NAME -", hint, e.program(), e.name)
}

// sockets returns where the engine may listen. One that the environment names
// is the only one.
func (e *engine) sockets() ([]string, error) {
	getenv := e.puller.getenv
	variable, places := "DOCKER_HOST", []string{"/var/run/docker.sock"}
	inRun := "docker.sock"
	if e.kind == KindPodman {
		variable, places, inRun = "CONTAINER_HOST", []string{"/run/podman/podman.sock"}, "podman/podman.sock"
	}
	if host := getenv(variable); host != "" {
		path, ok := strings.CutPrefix(host, "unix://")
		if !ok || !filepath.IsAbs(path) {
			return nil, model.Errorf(model.CodeUnsupported, "%s is %.100q: only unix:///path is understood", variable, host).
				WithHint("%s save %s | banger image pull --name NAME -", e.program(), e.name)
		}
		return []string{path}, nil
	}
	if dir := getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		places = append([]string{filepath.Join(dir, inRun)}, places...)
	}
	return places, nil
}

// inspect asks whether the image is there: an export of one that is not fails
// in many ways.
func (e *engine) inspect(ctx context.Context, client *http.Client) error {
	ctx, cancel := context.WithTimeoutCause(ctx, e.puller.limits.Stall, errNoAnswer)
	defer cancel()
	resp, err := e.get(ctx, client, "json")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, maxInspect)); err != nil {
		return e.unreachable(causeOf(ctx, err))
	}
	return nil
}

// export keeps the archive of the image.
func (e *engine) export(ctx context.Context, client *http.Client, report model.Report) (*spool, error) {
	ctx, watch := newWatchdog(ctx, e.program(), e.puller.limits.Stall)
	defer watch.stop()
	resp, err := e.get(ctx, client, "get")
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body := &watchedReader{r: resp.Body, watch: watch, name: e.program(), report: report}
	kept, err := e.puller.cache.spool(body, e.String(), e.puller.limits.OutputBytes)
	if err != nil {
		err = causeOf(ctx, err)
		var classed *model.Error
		if errors.As(err, &classed) {
			return nil, err
		}
		return nil, model.Errorf(model.CodeUnreachable, "%s broke off while it exported %s: %w", e.program(), e.name, err)
	}
	return kept, nil
}

// get asks for /images/NAME/what.
func (e *engine) get(ctx context.Context, client *http.Client, what string) (*http.Response, error) {
	u := url.URL{Scheme: "http", Host: e.program(), Path: "/images/" + e.name + "/" + what}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		err = causeOf(ctx, err)
		if model.CodeOf(err) != model.CodeInternal {
			return nil, err
		}
		return nil, e.unreachable(err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, e.refused(resp)
}

// refused is the error of an answer other than 200. Engines explain
// themselves: {"message": "..."}.
func (e *engine) refused(resp *http.Response) error {
	var told struct{ Message string }
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorText)) // what arrives is good enough
	if json.Unmarshal(text, &told) != nil || told.Message == "" {
		told.Message = fmt.Sprintf("status %d", resp.StatusCode)
	}
	said := model.Printable(told.Message)
	if resp.StatusCode == http.StatusNotFound {
		return model.Errorf(model.CodeNotFound, "%s has no image %s: %s", e.program(), e.name, said).
			WithHint("see %s images; or pull from a registry: banger image pull %s", e.program(), e.name)
	}
	return model.Errorf(model.CodeUnreachable, "%s refuses to give image %s: %s", e.program(), e.name, said)
}

// watchedReader counts what it reads for a watchdog, and for people.
type watchedReader struct {
	r        io.Reader
	watch    *watchdog
	name     string
	report   model.Report
	n, shown int64
}

func (w *watchedReader) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	w.watch.progress(n)
	if w.n += int64(n); w.n-w.shown >= freshAttempts {
		w.shown = w.n
		w.report(model.Progress{Item: &model.ItemProgress{ID: w.name, Current: w.n}})
	}
	return n, err
}
