package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"banger/internal/model"
	"banger/internal/rpc"
)

func TestParseMounts(t *testing.T) {
	t.Parallel()
	got, err := parseMounts([]string{"data:/srv/data", "models:/models:ro", "x:/x:rw"})
	want := []rpc.MountParams{{Volume: "data", Path: "/srv/data"}, {Volume: "models", Path: "/models", ReadOnly: true}, {Volume: "x", Path: "/x"}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	for _, bad := range []string{"", "data", "data:", "data:srv", "data:/srv:no", "data:/srv:ro:ro", "/host:/srv", "./host:/srv", "Data:/srv", ":/srv"} {
		if _, err := parseMounts([]string{bad}); model.CodeOf(err) != model.CodeInvalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestVolumeVerbs(t *testing.T) {
	t.Parallel()
	d := newFakeDaemon()
	for _, tc := range []struct {
		args string
		code int
		want string
	}{
		{"volume create logs", exitOK, "logs\n"},
		{"volume create data", exitConflict, "taken"},
		{"volume ls", exitOK, "web* log:ro"},
		{"volumes -q", exitOK, "data\n"},
		{"volume show data", exitOK, "web* log:ro"},
		{"volume rm nothing", exitNotFound, "nothing"},
		{"volume prune", exitUsage, "--force"},
		{"volume prune --dry-run", exitOK, ""},
		{"volume resize data", exitUsage, "--size"},
		{"volume resize data --size 20G", exitOK, "data\n"},
	} {
		code, stdout, stderr := banger(t, d, strings.Fields(tc.args)...)
		if code != tc.code || !strings.Contains(stdout+stderr, tc.want) {
			t.Errorf("%s: exit code %d, %q, %q; want %d and %q", tc.args, code, stdout, stderr, tc.code, tc.want)
		}
	}
}

func TestWorkDiskFlags(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		env, args string
		code      model.Code
		want      int64
	}{
		{"", "", "", 0},
		{"", "--work 2G", "", 2 * gib},
		{"4G", "", "", 4 * gib},
		{"4G", "--work 2G", "", 2 * gib},
		{"4G", "--no-work", "", 0},
		{"", "--no-work --work 2G", model.CodeInvalid, 2 * gib},
		{"much", "", model.CodeInvalid, 0},
	} {
		a := &app{lookupEnv: func(key string) (string, bool) { return tc.env, key == workEnv && tc.env != "" }}
		var f workFlags
		flags := pflag.NewFlagSet("create", pflag.ContinueOnError)
		f.add(flags)
		if err := flags.Parse(strings.Fields(tc.args)); err != nil {
			t.Fatal(err)
		}
		if err := f.check(a, "banger create"); model.CodeOf(err) != tc.code || f.bytes() != tc.want {
			t.Errorf("%s=%q %s: %d, %v; want %d", workEnv, tc.env, tc.args, f.bytes(), err, tc.want)
		}
	}
}
