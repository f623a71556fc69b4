package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const asEngines = `ARG WHO=nobody
FROM %[1]s AS maker
SHELL ["/bin/sh", "-ec"]
RUN mkdir -p /o/x.d /o/y.d && echo 1 >/o/x.d/1.txt && echo 2 >/o/y.d/2.txt && echo 3 >/o/3.txt && ln -s x.d /o/z.d && ln -s 3.txt /o/l.txt
RUN chown 5:6 /o/3.txt /o/x.d && chmod 4711 /o/3.txt && mkfifo /o/fifo && ln /o/3.txt /o/hard && echo "127.0.0.1 x" >>/etc/hosts
FROM maker AS more
ARG WHO
ENV A=1 B="two words" C=three\ words
ENV D ${A}-$B
ENV E=${UNSET:-dflt} F=${A:+set} H='$A' I="\$A"
RUN echo "$WHO|$A|$B|$C|$D|$E|$F|$H|$I" >/o/vars
FROM %[1]s
RUN ln -s /real /link && mkdir -p /real/sub && ln -s sub /real/rl && mkdir -p /d/e /d/l && chmod 1777 /d && echo old >/d/e/f
RUN rm -rf /d/e && mkdir /d/e && echo new >/d/e/g && chown 7:8 /d/l
WORKDIR /a/b
WORKDIR c
COPY one two* /dst/
COPY dir /dst/dir/
COPY dir/ rel
COPY ["sp ace", "/dst/sp ace"]
COPY --chown=1000:1000 one ./own
COPY --chmod=0600 one mode
COPY . /all
COPY dir/sub/ /d/l
COPY one /link/
COPY one /link/rl/g
COPY tree /d
COPY --from=more /o/*.txt /txt/
COPY --from=more /o/?.d /dirs/
COPY --from=more /o/x.d/* /o/vars /some/
COPY --from=0 --chown=3:4 /o /owned
COPY --from=more /o/l.txt /
COPY --from=more /o/z.d /zd
ADD --chown=5:6 one /added/
WORKDIR /link/new
RUN pwd -P >/pwd; echo here >here
USER 7
WORKDIR /w/x
CMD echo hi
`

// TestDockerfileAsOthers: a Dockerfile makes the files that podman makes of it.
func TestDockerfileAsOthers(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("podman builds in a chroot as root alone")
	}
	w := needWorld(t)
	t.Parallel()
	dir, old := t.TempDir(), time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	for name, text := range map[string]string{
		"Dockerfile": fmt.Sprintf(asEngines, w.registry.ref("busybox")), ".dockerignore": "# not all\nign\n!ign/keep\n*.log\n**/deep\n",
		"one": "1", "two": "2", "two2": "22", "sp ace": "s", "dir/x": "x", "dir/sub/y": "y", "dir/sub/deep/z": "z", "ign/a": "a", "ign/keep": "k", "x.log": "l", "tree/l/t": "t",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "tree/l"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("x", filepath.Join(dir, "dir/link")); err != nil {
		t.Fatal(err)
	}
	w.home.removeImageAfter(t, "as-we", "as-podman")
	w.home.ok(t, "image", "build", "-t", "as-we", "--network", "none", dir)
	w.home.ok(t, "image", "pull", "archive:"+podmanBuild(t, dir), "--name", "as-podman")
	r := w.home.try(t, "image", "diff", "as-podman", "as-we")
	// Where it mounts its own files, podman leaves empty ones.
	want := []string{"- /etc/hostname", "- /etc/hosts", "- /etc/resolv.conf", ""}
	if d := cmp.Diff(want, strings.Split(r.stdout, "\n")); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	times := w.home.ok(t, "run", "--rm", "as-we", "--", "stat", "-c", "%Y", "/all/one", "/dst/two2", "/link/rl/g")
	if want := strings.Repeat(fmt.Sprintln(old.Unix()), 3); times != want {
		t.Errorf("copied files are from %q", times)
	}
	ours, theirs := w.home.image(t, "as-we").Config, w.home.image(t, "as-podman").Config
	if !cmp.Equal(ours.Cmd, theirs.Cmd) || ours.WorkingDir != theirs.WorkingDir || ours.User != theirs.User {
		t.Errorf("the configuration is %+v, podman's %+v", ours, theirs)
	}
}

// podmanBuild returns the archive of what podman makes of a build context.
func podmanBuild(t *testing.T, dir string) string {
	t.Helper()
	store, archive := t.TempDir(), filepath.Join(t.TempDir(), "image.tar")
	storage := []string{"--storage-driver=vfs", "--root=" + store + "/graph", "--runroot=" + store + "/run"}
	build := append(slices.Clip(storage), "build", "--isolation=chroot", "--format=docker", "--layers=false", "--tls-verify=false", "--iidfile="+store+"/id", dir)
	for _, args := range [][]string{build, append(slices.Clip(storage), "save", "--output="+archive, "@")} {
		if last := len(args) - 1; args[last] == "@" {
			id, err := os.ReadFile(store + "/id")
			if err != nil {
				t.Fatal(err)
			}
			args[last] = string(id)
		}
		if out, err := exec.CommandContext(boundedContext(t), "podman", args...).CombinedOutput(); err != nil {
			t.Fatalf("podman %q: %v: %s", args, err, out)
		}
	}
	return archive
}
