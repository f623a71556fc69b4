package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"
)

// registry is Debian's docker-registry on a free port of the loopback.
type registry struct {
	addr string // host:port
	dir  string
	cmd  *exec.Cmd
}

// htpasswd is user banger with password secret, as bcrypt.
const htpasswd = "banger:$2y$05$owETuVt7ATHRzslSp318KeAfGUjxErgF2alTKlGF79FpUVxkMP4i6\n"

const registryConfig = `version: 0.1
log: {level: info, formatter: text}
storage: {filesystem: {rootdirectory: %q}}
http: {addr: "127.0.0.1:0"}
%s`

var listening = regexp.MustCompile(`listening on (127\.0\.0\.1:\d+)`)

// startRegistry starts a registry that asks for a password when users, the
// text of an htpasswd file, is not empty.
func startRegistry(ctx context.Context, users string) (*registry, error) {
	dir, err := os.MkdirTemp("", "banger-registry-")
	if err != nil {
		return nil, err
	}
	auth := ""
	if users != "" {
		file := filepath.Join(dir, "htpasswd")
		auth = fmt.Sprintf("auth: {htpasswd: {realm: test, path: %q}}\n", file)
		err = os.WriteFile(file, []byte(users), 0o600)
	}
	config := filepath.Join(dir, "config.yml")
	text := fmt.Sprintf(registryConfig, filepath.Join(dir, "data"), auth)
	if err = errors.Join(err, os.WriteFile(config, []byte(text), 0o600)); err != nil {
		return nil, err
	}
	r := &registry{dir: dir, cmd: exec.Command("docker-registry", "serve", config)}
	if r.addr, err = r.start(ctx); err != nil {
		r.stop()
		return nil, fmt.Errorf("starting docker-registry: %w", err)
	}
	return r, nil
}

// start returns the address that the registry says it listens on.
func (r *registry) start(ctx context.Context) (string, error) {
	out, err := r.cmd.StderrPipe()
	if err != nil {
		return "", err
	}
	if err := r.cmd.Start(); err != nil {
		return "", err
	}
	found := make(chan string, 1)
	go func() {
		defer close(found)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if m := listening.FindStringSubmatch(lines.Text()); m != nil {
				found <- m[1]
			}
		}
	}()
	select {
	case addr, ok := <-found:
		if !ok {
			return "", errors.New("it ended before it listened")
		}
		return addr, nil
	case <-time.After(30 * time.Second):
		return "", errors.New("it does not listen after 30 s")
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (r *registry) stop() {
	if r.cmd.Process != nil {
		_ = r.cmd.Process.Kill()
		_ = r.cmd.Wait()
	}
	_ = os.RemoveAll(r.dir)
}

// ref is the reference of an image here.
func (r *registry) ref(name string) string { return r.addr + "/" + name + ":latest" }

// push copies an OCI layout into the registry; flags are skopeo's.
func (r *registry) push(ctx context.Context, layout, name string, flags ...string) error {
	args := append([]string{"--insecure-policy", "copy", "--quiet", "--dest-tls-verify=false"}, flags...)
	args = append(args, "oci:"+layout+":latest", "docker://"+r.ref(name))
	if out, err := exec.CommandContext(ctx, "skopeo", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("pushing %s: %w: %s", name, err, out)
	}
	return nil
}
