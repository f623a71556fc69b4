package rpc_test

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"

	"banger/internal/model"
	"banger/internal/rpc"
)

// chatty reports far more than a slow client's socket can take.
type chatty struct {
	*fakeAPI
	said chan struct{} // closed when all is reported
}

const chattyItems = 200_000

func (c chatty) StartVM(_ context.Context, p rpc.NameParams, report model.Report) (model.VM, error) {
	report(model.Progress{Stage: "first"})
	for i := range chattyItems {
		report(model.Progress{Item: &model.ItemProgress{ID: "layer", Current: int64(i)}})
	}
	report(model.Progress{Stage: "last"})
	close(c.said)
	return fakeVM(p.Name), nil
}

func TestSlowClientNeitherHoldsNorGrowsACall(t *testing.T) {
	t.Parallel()
	api := chatty{newFake(), make(chan struct{})}
	socket, _ := serve(t, api)
	conn := dial(t, socket)
	defer conn.Close()
	_, err := io.WriteString(conn, post("/v1/vm.start", "Accept: text/event-stream\r\nConnection: close\r\n", `{"name":"web"}`))
	must(t, err)
	<-api.said // before anything of the answer is read
	text, err := io.ReadAll(bufio.NewReader(conn))
	must(t, err)
	if n := strings.Count(string(text), "event: progress"); n > chattyItems/2 {
		t.Errorf("%d progress events", n)
	}
	for _, part := range []string{`"stage":"first"`, `"stage":"last"`, `"current":199999`, "event: result\ndata: {\"id\":\"0a\""} {
		if !strings.Contains(string(text), part) {
			t.Errorf("%s is missing", part)
		}
	}
}

func BenchmarkCall(b *testing.B) {
	socket, _ := serve(b, newFake())
	c := client(b, socket)
	for b.Loop() {
		if _, err := c.ShowVM(b.Context(), rpc.NameParams{Name: "web"}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkExec(b *testing.B) {
	socket, _ := serve(b, newFake())
	c := client(b, socket)
	for b.Loop() {
		if _, err := c.ExecVM(b.Context(), rpc.VMExecParams{Name: "web", Argv: []string{"exit", "0"}}, rpc.Stdio{}, model.Discard); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkExecOutput(b *testing.B) {
	socket, _ := serve(b, newFake())
	c := client(b, socket)
	b.SetBytes(64 << 20)
	for b.Loop() {
		if _, err := c.ExecVM(b.Context(), rpc.VMExecParams{Name: "web", Argv: []string{"zeros", "67108864"}}, rpc.Stdio{Stdout: io.Discard}, model.Discard); err != nil {
			b.Fatal(err)
		}
	}
}
