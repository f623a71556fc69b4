package event_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"banger/internal/event"
	"banger/internal/model"
	"banger/internal/rpc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newLog(t *testing.T, path string) *event.Log {
	t.Helper()
	l := event.New(path, slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func at(second int) time.Time { return time.Date(2026, 3, 1, 12, 0, second, 0, time.UTC) }

func add(l *event.Log, name string, second int) {
	l.Add(model.Event{At: at(second), Noun: model.EventVM, ID: "1", Name: name, Action: "running"})
}

// names reads the events of q.
func names(t *testing.T, l *event.Log, q event.Query) []string {
	t.Helper()
	var got []string
	err := l.Read(t.Context(), q, func(e model.Event) error {
		got = append(got, e.Name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestWhatIsKeptIsReadByTheNextDaemon(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "state", "events.jsonl")
	first := newLog(t, path)
	if got := names(t, first, event.Query{}); got != nil {
		t.Errorf("before the first event: %v", got)
	}
	for i, name := range []string{"a", "b", "c", "d"} {
		add(first, name, i)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"at":"2026-03-01T12:00:09Z","na`); err != nil { // a power cut
		t.Fatal(err)
	}
	_ = f.Close()
	second := newLog(t, path)
	add(second, "e", 10)
	for name, tc := range map[string]struct {
		q    event.Query
		want []string
	}{
		"all":    {event.Query{}, []string{"a", "b", "c", "d", "e"}},
		"since":  {event.Query{Since: at(2)}, []string{"c", "d", "e"}},
		"until":  {event.Query{Until: at(2)}, []string{"a", "b"}},
		"tail":   {event.Query{Tail: 2}, []string{"d", "e"}},
		"filter": {event.Query{Tail: 9, Keep: func(e model.Event) bool { return e.Name < "c" }}, []string{"a", "b"}},
	} {
		if d := cmp.Diff(tc.want, names(t, second, tc.q)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestHistoryIsBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := newLog(t, filepath.Join(dir, "events.jsonl"))
	long := strings.Repeat("x", 8<<10) // cut to half of that
	const count = 2000
	for i := range count {
		l.Add(model.Event{Noun: model.EventVM, Name: fmt.Sprint(i), Detail: long})
	}
	var total int64
	for _, name := range []string{"events.jsonl", "events.jsonl.1"} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		total += info.Size()
	}
	if total > 5<<20 {
		t.Errorf("%d bytes are kept", total)
	}
	got := names(t, l, event.Query{})
	if len(got) < 400 || len(got) == count || got[len(got)-1] != fmt.Sprint(count-1) {
		t.Errorf("%d events, the last %q", len(got), got[len(got)-1])
	}
}

// TestFollowMissesNothing: the past, then what comes, each once.
func TestFollowMissesNothing(t *testing.T) {
	t.Parallel()
	l := newLog(t, filepath.Join(t.TempDir(), "events.jsonl"))
	add(l, "0", 0)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	got := make(chan string)
	ended := make(chan error, 1)
	go func() {
		ended <- l.Read(ctx, event.Query{Follow: true, Since: at(0)}, func(e model.Event) error {
			got <- e.Name
			return nil
		})
	}()
	for i := range 500 {
		add(l, fmt.Sprint(i+1), i+1)
		if name := <-got; name != fmt.Sprint(i) {
			t.Fatalf("event %d is %s", i, name)
		}
	}
	<-got
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestAFollowerThatIsTooSlowIsTold(t *testing.T) {
	t.Parallel()
	l := newLog(t, filepath.Join(t.TempDir(), "events.jsonl"))
	entered, free := make(chan struct{}), make(chan struct{})
	ended := make(chan error, 1)
	add(l, "first", 0)
	go func() {
		ended <- l.Read(t.Context(), event.Query{Follow: true, Tail: 1}, func(model.Event) error {
			close(entered)
			<-free
			return nil
		})
	}()
	<-entered
	for i := range 1100 {
		add(l, "late", i)
	}
	close(free)
	if err := <-ended; model.CodeOf(err) != model.CodeLimit {
		t.Error(err)
	}
}

func TestEventsAreJSONLines(t *testing.T) {
	t.Parallel()
	l := newLog(t, filepath.Join(t.TempDir(), "events.jsonl"))
	add(l, "web", 1)
	l.Operation(model.Operation{ID: "7", Kind: "vm.start", Object: "web", State: model.OpFailed, Error: &model.Error{Msg: "no"}})
	var out strings.Builder
	if err := l.Events(t.Context(), rpc.EventsParams{Filters: []string{"noun=vm"}}, &out); err != nil {
		t.Fatal(err)
	}
	if want := `{"at":"2026-03-01T12:00:01Z","noun":"vm","id":"1","name":"web","action":"running"}` + "\n"; out.String() != want {
		t.Errorf("got %s", out.String())
	}
	out.Reset()
	if err := l.Events(t.Context(), rpc.EventsParams{Filters: []string{"kind=vm.start", "action=failed"}}, &out); err != nil || !strings.Contains(out.String(), `"detail":"no"`) {
		t.Errorf("%s, %v", out.String(), err)
	}
	if err := l.Events(t.Context(), rpc.EventsParams{Filters: []string{"colour=red"}}, &out); model.CodeOf(err) != model.CodeInvalid || model.HintOf(err) == "" {
		t.Error(err)
	}
}
