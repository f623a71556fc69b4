package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"banger/internal/model"
	"banger/internal/wire"

	"golang.org/x/sys/unix"
)

const (
	defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	defaultTerm = "xterm"
)

// Exit codes of processes that never ran, as shells and container tools have
// them.
const (
	codeNotExecutable = 126
	codeNotFound      = 127
	codeSignal        = 128 // + number of the signal
)

// program is a process in which nothing is left to decide.
type program struct {
	path string
	argv []string
	env  []string
	dir  string
	who  account
}

// resolve looks up the user, the directory and the program of a request. On
// error code is what the process that never ran exits with.
func resolve(req *wire.ExecRequest) (p program, code int, err error) {
	who, err := lookupAccount("", req.User)
	if err != nil {
		return program{}, codeNotExecutable, err
	}
	p = program{argv: req.Argv, dir: req.WorkingDir, who: who}
	if p.dir == "" {
		p.dir = "/"
	}
	if err := p.checkDir(req.MakeWorkingDir); err != nil {
		return program{}, codeNotExecutable, err
	}
	p.env = environment(req.Env, who, req.TTY)
	if p.path, err = lookPath(req.Argv[0], variable(p.env, "PATH"), p.dir); err != nil {
		return program{}, exitCode(err), err
	}
	return p, 0, nil
}

func (p *program) checkDir(create bool) error {
	info, err := os.Stat(p.dir)
	if create && errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(p.dir, 0o755); err != nil {
			return fmt.Errorf("creating the working directory: %w", err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("entering the working directory: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("working directory %s is not a directory", p.dir)
	}
	return nil
}

// environment returns env with the last value of each variable, and the
// variables that every process has.
func environment(env []string, who account, tty bool) []string {
	defaults := []string{"HOME=" + who.home, "PATH=" + defaultPath}
	if who.name != "" {
		defaults = append(defaults, "USER="+who.name)
	}
	if tty {
		defaults = append(defaults, "TERM="+defaultTerm)
	}
	at := map[string]int{}
	var out []string
	for _, v := range append(defaults, env...) {
		name, _, _ := strings.Cut(v, "=")
		if i, ok := at[name]; ok {
			out[i] = v
			continue
		}
		at[name] = len(out)
		out = append(out, v)
	}
	return out
}

func variable(env []string, name string) string {
	for _, v := range env {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

// lookPath finds a program as execvp(3) does: names with a slash are taken as
// they are, others are looked for in the directories of path, and one that
// may not be run is the answer only when no other is found.
func lookPath(name, path, dir string) (string, error) {
	if strings.Contains(name, "/") {
		return name, executable(name, dir)
	}
	missing := fmt.Errorf("%s: %w in %s", name, errNotFound, path)
	for _, d := range filepath.SplitList(path) {
		full := filepath.Join(d, name)
		if d == "" || d == "." {
			full = "./" + name
		}
		err := executable(full, dir)
		if err == nil {
			return full, nil
		}
		if exitCode(err) != codeNotFound {
			missing = err
		}
	}
	return "", missing
}

var errNotFound = errors.New("not found")

// executable tells why path, relative to dir, is not a program.
func executable(path, dir string) error {
	full := path
	if !filepath.IsAbs(full) {
		full = dir + "/" + path // uncleaned: .. behind a link means the link's target
	}
	info, err := os.Stat(full)
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return &fs.PathError{Op: "exec", Path: path, Err: unix.EISDIR}
	case info.Mode()&0o111 == 0:
		return &fs.PathError{Op: "exec", Path: path, Err: unix.EACCES}
	}
	return nil
}

// exitCode is the code of a process that could not be started for err.
func exitCode(err error) int {
	if errors.Is(err, errNotFound) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return codeNotFound
	}
	return codeNotExecutable
}

// notStarted is the status of a process that could not be started for err.
func notStarted(code int, err error) model.ExitStatus {
	return model.ExitStatus{Code: code, Err: err.Error()}
}

// exitStatus is how a process that ran has ended.
func exitStatus(ws unix.WaitStatus) model.ExitStatus {
	if ws.Signaled() {
		return model.ExitStatus{Code: codeSignal + int(ws.Signal()), Signal: unix.SignalName(ws.Signal())}
	}
	return model.ExitStatus{Code: ws.ExitStatus()}
}
