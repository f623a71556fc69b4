package agent

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"banger/internal/wire"
)

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Exit codes of a process that could not be started (POSIX shell, 2.8.2).
const (
	exitNotFound      = 127
	exitNotExecutable = 126
)

// command is a process in which nothing is left to decide.
type command struct {
	path string
	argv []string
	env  []string
	dir  string
	who  account
}

// startError is why a process could not be started, and its exit code.
type startError struct {
	code int
	err  error
}

func (e *startError) Error() string { return e.err.Error() }
func (e *startError) Unwrap() error { return e.err }

// resolve decides what a request means in this guest.
func resolve(req wire.ExecRequest) (command, error) {
	if len(req.Argv) == 0 || req.Argv[0] == "" {
		return command{}, &startError{exitNotFound, errors.New("the command is empty")}
	}
	who, err := lookupAccount(req.User)
	if err != nil {
		return command{}, &startError{exitNotExecutable, err}
	}
	c := command{argv: req.Argv, env: environment(req, who), dir: filepath.Clean("/" + req.WorkingDir), who: who}
	if req.MakeWorkingDir {
		if err := os.MkdirAll(c.dir, 0o755); err != nil {
			return command{}, &startError{exitNotExecutable, fmt.Errorf("making the working directory: %w", err)}
		}
	}
	if st, err := os.Stat(c.dir); err != nil || !st.IsDir() {
		return command{}, &startError{exitNotExecutable, fmt.Errorf("working directory %s: no such directory", c.dir)}
	}
	c.path, err = lookPath(req.Argv[0], c.dir, valueOf(c.env, "PATH"))
	return c, err
}

// environment adds what every process may count on.
func environment(req wire.ExecRequest, who account) []string {
	env := slices.Clone(req.Env)
	add := func(key, value string) {
		if value != "" && !slices.ContainsFunc(env, func(kv string) bool { return strings.HasPrefix(kv, key+"=") }) {
			env = append(env, key+"="+value)
		}
	}
	add("PATH", defaultPath)
	add("HOME", who.home)
	add("USER", who.name)
	if req.TTY {
		add("TERM", "xterm-256color")
	}
	if h, err := os.Hostname(); err == nil {
		add("HOSTNAME", h)
	}
	return env
}

func valueOf(env []string, key string) string {
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, key+"="); ok {
			return v
		}
	}
	return ""
}

// lookPath finds a program as execvp(3) does, from dir.
func lookPath(name, dir, path string) (string, error) {
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		return name, executable(name)
	}
	var denied error
	for _, d := range filepath.SplitList(path) {
		if !filepath.IsAbs(d) {
			d = filepath.Join(dir, d)
		}
		candidate := filepath.Join(d, name)
		err := executable(candidate)
		if err == nil {
			return candidate, nil
		}
		var start *startError
		if errors.As(err, &start) && start.code == exitNotExecutable {
			denied = err
		}
	}
	if denied != nil {
		return "", denied
	}
	return "", &startError{exitNotFound, fmt.Errorf("%s: command not found", name)}
}

// executable says whether path is a file that may be executed by somebody;
// the kernel has the last word.
func executable(path string) error {
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR):
		return &startError{exitNotFound, fmt.Errorf("%s: no such file", path)}
	case err != nil:
		return &startError{exitNotExecutable, err}
	case st.IsDir():
		return &startError{exitNotExecutable, fmt.Errorf("%s is a directory", path)}
	case st.Mode()&0o111 == 0:
		return &startError{exitNotExecutable, fmt.Errorf("%s: permission denied: it is not executable", path)}
	}
	return nil
}

// launchError classes what fork and exec say.
func launchError(c command, err error) error {
	code := exitNotExecutable
	switch {
	case errors.Is(err, unix.ENOENT):
		code = exitNotFound
		err = fmt.Errorf("%s: its interpreter or loader is missing: %w", c.path, err)
	case errors.Is(err, unix.ENOEXEC):
		err = fmt.Errorf("%s: %w (for another architecture, or a script without #!)", c.path, err)
	default:
		err = fmt.Errorf("%s: %w", c.path, err)
	}
	return &startError{code, err}
}
