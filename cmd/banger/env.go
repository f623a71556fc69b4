package main

import (
	"io"
	"os"
	"strings"

	"banger/internal/model"
)

// maxEnvFile bounds a file of --env-file in bytes.
const maxEnvFile = mib

// readEnv resolves --env-file and --env as docker does: files first, in
// order; KEY without a value takes it from this process's environment and
// counts for nothing when it is not set there; later ones win.
func (a *app) readEnv(files, vars []string) ([]string, error) {
	var env []string
	for _, file := range files {
		lines, err := a.readEnvFile(file)
		if err != nil {
			return nil, err
		}
		env = append(env, lines...)
	}
	for _, v := range vars {
		resolved, err := a.resolveEnv(v)
		if err != nil {
			return nil, model.Errorf(model.CodeInvalid, "--env %q: %w", v, err)
		}
		env = append(env, resolved...)
	}
	return env, nil
}

// readEnvFile reads KEY=VALUE lines. Values are taken as they stand, quotes
// and all; empty lines and lines that begin with # are skipped.
func (a *app) readEnvFile(name string) ([]string, error) {
	text, err := a.readSmallFile(name)
	if err != nil {
		return nil, model.Errorf(model.CodeInvalid, "--env-file: %w", err)
	}
	var env []string
	for i, line := range strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n") {
		line = strings.TrimLeft(strings.TrimSuffix(line, "\r"), " \t")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		resolved, err := a.resolveEnv(line)
		if err != nil {
			return nil, model.Errorf(model.CodeInvalid, "--env-file %q, line %d: %w", name, i+1, err)
		}
		env = append(env, resolved...)
	}
	return env, nil
}

func (a *app) readSmallFile(name string) (string, error) {
	path, err := a.abs(name)
	if err != nil {
		return "", err
	}
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, maxEnvFile+1))
	if err != nil {
		return "", err
	}
	if len(text) > maxEnvFile {
		return "", model.Errorf(model.CodeLimit, "%s has more than %s", name, formatSize(maxEnvFile))
	}
	return string(text), nil
}

// resolveEnv returns v as KEY=VALUE, or nothing.
func (a *app) resolveEnv(v string) ([]string, error) {
	key, _, hasValue := strings.Cut(v, "=")
	switch {
	case key == "" || strings.ContainsAny(key, " \t"):
		return nil, model.Errorf(model.CodeInvalid, "want KEY=VALUE or KEY")
	case strings.ContainsRune(v, 0):
		return nil, model.Errorf(model.CodeInvalid, "a NUL byte is not allowed")
	case hasValue:
		return []string{v}, nil
	}
	value, ok := a.lookupEnv(key)
	if !ok {
		return nil, nil
	}
	return []string{key + "=" + value}, nil
}
