package failpoint_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"banger/internal/failpoint"
	"banger/internal/model"
)

const place = "image.pull/published"

// asVictim in the environment makes the test's own executable one that hits
// the place that it names.
const asVictim = "FAILPOINT_TEST_VICTIM"

func TestMain(m *testing.M) {
	if text := os.Getenv(asVictim); text != "" {
		set, err := failpoint.Parse(text)
		if err == nil {
			err = failpoint.Hit(failpoint.With(context.Background(), set), place)
		}
		if err != nil {
			os.Exit(2)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func with(t *testing.T, text string) context.Context {
	t.Helper()
	set, err := failpoint.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return failpoint.With(t.Context(), set)
}

func TestWithoutSetNothingHappens(t *testing.T) {
	t.Parallel()
	for name, ctx := range map[string]context.Context{
		"no set": t.Context(), "empty": with(t, ""), "another place": with(t, "image.pull/staged=error:x"),
	} {
		if err := failpoint.Hit(ctx, place); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestErrorCountsDown(t *testing.T) {
	t.Parallel()
	ctx := with(t, "vm.start/launched=error:other;"+place+"=2*error:no memory")
	var got []string
	for range 4 {
		text := "-"
		if err := failpoint.Hit(ctx, place); err != nil {
			text = err.Error()
		}
		got = append(got, text)
	}
	want := "fail point " + place + ": no memory"
	if !slices.Equal(got, []string{want, want, "-", "-"}) {
		t.Errorf("got %q", got)
	}
}

func TestDelayEndsWithTheContext(t *testing.T) {
	t.Parallel()
	if err := failpoint.Hit(with(t, place+"=delay:1ms"), place); err != nil {
		t.Errorf("a delay that is over: %v", err)
	}
	ctx, cancel := context.WithCancel(with(t, place+"=delay:1h"))
	time.AfterFunc(time.Millisecond, cancel)
	if err := failpoint.Hit(ctx, place); !errors.Is(err, context.Canceled) {
		t.Errorf("a delay whose context ends: %v", err)
	}
}

func TestPanic(t *testing.T) {
	t.Parallel()
	ctx := with(t, place+"=panic:broken")
	defer func() {
		if p, _ := recover().(string); !strings.Contains(p, "broken") {
			t.Errorf("panic %q", p)
		}
	}()
	_ = failpoint.Hit(ctx, place)
}

func TestKillEndsTheProcess(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), asVictim+"="+place+"=kill")
	var ended *exec.ExitError
	if err := cmd.Run(); !errors.As(err, &ended) {
		t.Fatalf("the process lives: %v", err)
	}
	if status, ok := ended.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		t.Errorf("it ended with %v", ended)
	}
}

func TestWrongTextIsRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"x", "image.pull/none=kill", place, place + "=", place + "=explode", place + "=0*kill", place + "=x*kill",
		place + "=delay:soon", place + "=kill;", ";",
	} {
		if _, err := failpoint.Parse(text); model.CodeOf(err) != model.CodeInvalid {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// BenchmarkOff is what a place costs in a daemon without a Set.
func BenchmarkOff(b *testing.B) {
	ctx := b.Context()
	type key int
	for i := range 8 { // as deep as a call's context is
		ctx = context.WithValue(ctx, key(i), i)
	}
	for b.Loop() {
		if err := failpoint.Hit(ctx, place); err != nil {
			b.Fatal(err)
		}
	}
}
