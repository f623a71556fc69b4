package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const twelveSteps = `FROM busybox
ARG VERSION=1
ENV APP_HOME=/srv/app VERSION=$VERSION
WORKDIR $APP_HOME
COPY --chown=7:8 src/ ./
RUN cat hello.txt >made && echo "$VERSION" >>made
USER 7:8
RUN id -u >/tmp/who && pwd >>/tmp/who
USER root
LABEL made.by=test
EXPOSE 80
CMD ["cat", "/srv/app/made", "/tmp/who"]
`

// TestDockerfile builds twelve instructions with real guests, then again: all
// steps are in the cache.
func TestDockerfile(t *testing.T) {
	w := needWorld(t)
	t.Parallel()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "src"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"Dockerfile": twelveSteps, "src/hello.txt": "hello\n", "src/no": "x", ".dockerignore": "src/no\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	build := func(name string) (string, time.Duration) {
		begun := time.Now()
		r := w.home.try(t, "image", "build", "-t", name, "--network", "none", "--build-arg", "VERSION=3", dir)
		if r.code != 0 || r.stdout != name+"\n" {
			t.Fatal(r)
		}
		t.Cleanup(func() { // t.Context has ended by then
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if r := w.home.run(ctx, "image", "delete", name); r.code != 0 {
				t.Error(r)
			}
		})
		return r.stderr, time.Since(begun)
	}
	_, first := build("docked")
	again, second := build("docked-again")
	t.Logf("built in %s, from the cache in %s: %.0f times faster", first, second, float64(first)/float64(second))
	if n := strings.Count(again, "(cached)"); n != 4 {
		t.Errorf("%d steps came from the cache, want 4:\n%s", n, again)
	}
	if got := w.home.ok(t, "run", "--rm", "docked-again"); got != "hello\n3\n7\n/srv/app\n" {
		t.Errorf("the image says %q", got)
	}
	if got := w.home.ok(t, "run", "--rm", "docked", "--", "sh", "-c", "ls; stat -c %u:%g hello.txt"); got != "hello.txt\nmade\n7:8\n" {
		t.Errorf("the image has %q", got)
	}
	changed := strings.Replace(twelveSteps, "made.by=test", "made.by=again", 1)
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(changed), 0o644); err != nil {
		t.Fatal(err)
	}
	w.home.ok(t, "create", "--name", "holds", "docked")
	w.home.ok(t, "image", "build", "-t", "docked", "--network", "none", "--build-arg", "VERSION=3", dir)
	if got := w.home.ok(t, "image", "show", "docked"); !strings.Contains(got, "made.by=again") {
		t.Errorf("built again under its name, the image is\n%s", got)
	}
	if images := w.home.ok(t, "image", "list", "-q"); strings.Count(images, "docked") != 3 {
		t.Errorf("with a VM of the old image there are: %s", images)
	}
	w.home.ok(t, "rm", "holds")
	if images := w.home.ok(t, "image", "list", "-q"); strings.Count(images, "docked") != 2 {
		t.Errorf("without it there are: %s", images)
	}
}
