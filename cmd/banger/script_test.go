package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"banger/internal/rpc"
)

// scriptState is what one script keeps between its lines.
type scriptState struct {
	daemon  *fakeDaemon
	connect func(context.Context) (rpc.API, error)
	stdin   string
	code    int
}

// TestScripts runs testdata/script: transcripts of the whole command line
// against a daemon in memory, behind the real
// server and client. Commands beyond testscript's own:
//
//	banger ARG...     the command line; its stdin is the file last named by input
//	exits N           the exit code of the last banger
//	onejson           standard output of the last banger is one JSON value
//	console VM FILE   the console of a VM
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(env *testscript.Env) error {
			d := newFakeDaemon()
			env.Values["state"] = &scriptState{daemon: d, connect: served(t, d)}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"banger":  scriptBanger,
			"exits":   scriptExits,
			"onejson": scriptOneJSON,
			"input":   func(ts *testscript.TestScript, _ bool, args []string) { state(ts).stdin = ts.ReadFile(args[0]) },
			"console": func(ts *testscript.TestScript, _ bool, args []string) {
				state(ts).daemon.writeConsole(args[0], ts.ReadFile(args[1]))
			},
		},
	})
}

func state(ts *testscript.TestScript) *scriptState {
	s, ok := ts.Value("state").(*scriptState)
	if !ok {
		ts.Fatalf("no state")
	}
	return s
}

func scriptBanger(ts *testscript.TestScript, neg bool, args []string) {
	s := state(ts)
	a := newTestApp(s.daemon, strings.NewReader(s.stdin), ts.Stdout(), ts.Stderr())
	a.connect, a.reach, a.dial = s.connect, s.connect, s.connect
	a.abs = func(path string) (string, error) { return ts.MkAbs(path), nil }
	a.lookupEnv = func(key string) (string, bool) { return ts.Getenv(key), ts.Getenv(key) != "" }
	s.code = a.run(context.Background(), args)
	if neg != (s.code != exitOK) {
		ts.Fatalf("exit code %d", s.code)
	}
}

func scriptExits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if got := state(ts).code; got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func scriptOneJSON(ts *testscript.TestScript, _ bool, _ []string) {
	dec := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	var v any
	if err := dec.Decode(&v); err != nil {
		ts.Fatalf("standard output is not JSON: %v", err)
	}
	if err := dec.Decode(&v); err != io.EOF {
		ts.Fatalf("standard output is more than one JSON value")
	}
}
