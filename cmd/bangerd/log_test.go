package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLogIsBoundedWhileTheDaemonRuns(t *testing.T) {
	t.Parallel()
	const limit = 1000
	path := filepath.Join(t.TempDir(), "daemon.log")
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	log := boundLog(file, path, limit)
	for i := range 500 {
		if _, err := fmt.Fprintf(log, "line %d\n", i); err != nil {
			t.Fatal(err)
		}
	}
	fmt.Fprintln(file, "last words") // of the runtime, to the descriptor itself
	newest, err := os.ReadFile(path)
	if err != nil || !strings.HasSuffix(string(newest), "line 499\nlast words\n") || len(newest) > limit+20 {
		t.Errorf("the log has %d bytes: %q, %v", len(newest), newest, err)
	}
	older, err := os.ReadFile(path + ".1")
	if err != nil || len(older) > limit || len(older) < limit/2 {
		t.Errorf("the log put aside has %d bytes, %v", len(older), err)
	}
	var first, next int
	lines := strings.Split(strings.TrimSpace(string(older)), "\n")
	_, err = fmt.Sscanf(lines[len(lines)-1], "line %d", &first)
	if _, err2 := fmt.Sscanf(string(newest), "line %d", &next); err != nil || err2 != nil || next != first+1 {
		t.Errorf("after line %d comes line %d", first, next)
	}
}

func TestOnlyTheDaemonsLogIsPutAside(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "daemon.log")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	elsewhere, err := os.Create(filepath.Join(t.TempDir(), "journal"))
	if err != nil {
		t.Fatal(err)
	}
	defer elsewhere.Close()
	if boundLog(elsewhere, path, 10) != elsewhere {
		t.Error("another file is bounded")
	}
	var buffer bytes.Buffer
	if boundLog(&buffer, path, 10) != &buffer {
		t.Error("what is no file is bounded")
	}
}
