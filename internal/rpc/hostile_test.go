package rpc_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"banger/internal/model"
	"banger/internal/rpc"
	"banger/internal/rpc/protocol"
)

// talk sends a request as it is written and returns the answer.
func talk(t *testing.T, socket, request string) (status int, body string) {
	t.Helper()
	conn := dial(t, socket)
	defer conn.Close()
	go func() { _, _ = io.WriteString(conn, request) }() // the server may answer before it has read all
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func dial(t *testing.T, socket string) net.Conn {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func post(path, headers, body string) string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: banger\r\n%sContent-Length: %d\r\n\r\n%s", path, headers, len(body), body)
}

func TestHostileRequestsAreRefused(t *testing.T) {
	t.Parallel()
	socket, log := serve(t, refusing{newFake(), t})
	big := strings.Repeat("x", protocol.MaxBody)
	for name, tc := range map[string]struct {
		request string
		status  int
		part    string
	}{
		"no such operation":   {post("/v1/vm.explode", "", "{}"), 404, "no operation"},
		"no such path":        {post("/", "", "{}"), 404, "no operation"},
		"path is not cleaned": {post("//v1/vm.list", "", "{}"), 404, "no operation"},
		"GET":                 {"GET /v1/vm.list HTTP/1.1\r\nHost: banger\r\n\r\n", 405, "POST"},
		"POST to a socket":    {post("/v1/vm.exec", "", "{}"), 405, "GET"},
		"socket, no upgrade":  {"GET /v1/vm.exec HTTP/1.1\r\nHost: banger\r\n\r\n", 426, ""},
		"other host":          {"POST /v1/vm.list HTTP/1.1\r\nHost: evil.test\r\nContent-Length: 2\r\n\r\n{}", 403, "Host"},
		"host with a port":    {"POST /v1/vm.list HTTP/1.1\r\nHost: banger:80\r\nContent-Length: 2\r\n\r\n{}", 403, "Host"},
		"two hosts":           {"POST /v1/vm.list HTTP/1.1\r\nHost: banger\r\nHost: evil.test\r\nContent-Length: 2\r\n\r\n{}", 400, ""},
		"no host":             {"POST /v1/vm.list HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}", 403, "Host"},
		"origin":              {post("/v1/vm.list", "Origin: http://banger\r\n", "{}"), 403, "web pages"},
		"origin null":         {post("/v1/vm.list", "Origin: null\r\n", "{}"), 403, "web pages"},
		"empty origin":        {post("/v1/vm.list", "Origin:\r\n", "{}"), 403, "web pages"},
		"referer":             {post("/v1/vm.list", "Referer: http://evil.test/\r\n", "{}"), 403, "web pages"},
		"socket with origin":  {"GET /v1/vm.exec HTTP/1.1\r\nHost: banger\r\nOrigin: http://banger\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 403, "web pages"},
		"newer client":        {post("/v1/vm.list", "X-Banger-Version: 2.0\r\n", "{}"), 501, "speaks version"},
		"declared too long":   {"POST /v1/vm.list HTTP/1.1\r\nHost: banger\r\nContent-Length: 1048577\r\n\r\n", 413, "longer than"},
		"too long":            {post("/v1/vm.show", "", `{"name":"`+big+`"}`), 413, "longer than"},
		"too long in chunks": {"POST /v1/vm.show HTTP/1.1\r\nHost: banger\r\nTransfer-Encoding: chunked\r\n\r\n100001\r\n" +
			big + "x\r\n0\r\n\r\n", 413, "longer than"},
		"both lengths":      {"POST /v1/vm.list HTTP/1.1\r\nHost: banger\r\nContent-Length: 2\r\nTransfer-Encoding: evil\r\n\r\n{}", 501, ""},
		"not JSON":          {post("/v1/vm.show", "", `{"name":`), 400, "reading the request"},
		"two values":        {post("/v1/vm.show", "", `{"name":"a"}{"name":"b"}`), 400, "reading the request"},
		"not an object":     {post("/v1/vm.show", "", `["a"]`), 400, "not valid"},
		"null":              {post("/v1/vm.show", "", `null`), 400, "not valid"},
		"nothing":           {post("/v1/vm.show", "", ``), 400, "required"},
		"unknown field":     {post("/v1/vm.show", "", `{"name":"a","nickname":"b"}`), 400, "nickname"},
		"unknown, no type":  {post("/v1/vm.list", "", `{"all":true}`), 400, "all"},
		"unknown inside":    {post("/v1/image.pull", "", `{"ref":"a","config":{}}`), 400, "config"},
		"wrong type":        {post("/v1/vm.show", "", `{"name":7}`), 400, "name"},
		"null field":        {post("/v1/vm.show", "", `{"name":null}`), 400, "name"},
		"too long a name":   {post("/v1/vm.show", "", `{"name":"`+strings.Repeat("n", 257)+`"}`), 400, "name"},
		"below the minimum": {post("/v1/image.pull", "", `{"ref":"a","size_bytes":-1}`), 400, "size_bytes"},
		"beyond int64":      {post("/v1/image.pull", "", `{"ref":"a","size_bytes":1e300}`), 400, ""},
		"fraction":          {post("/v1/image.pull", "", `{"ref":"a","size_bytes":1.5}`), 400, "size_bytes"},
		"not of the enum":   {post("/v1/vm.create", "", `{"driver":"xen"}`), 400, "driver"},
		"very deep":         {post("/v1/vm.show", "", strings.Repeat("[", 500000)), 400, "reading the request"},
		"no HTTP":           {"hello\r\n\r\n", 400, ""},
		"long headers":      {post("/v1/vm.list", "X: "+strings.Repeat("x", 64<<10)+"\r\n", "{}"), 431, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, body := talk(t, socket, tc.request)
			if status != tc.status || !strings.Contains(body, tc.part) {
				t.Errorf("%d %.300s; want %d ...%s...", status, body, tc.status, tc.part)
			}
			if len(body) > 2000 {
				t.Errorf("an answer of %d bytes", len(body))
			}
			if tc.part != "" {
				var told model.Error
				if err := json.Unmarshal([]byte(body), &told); err != nil || told.Code == "" || told.Msg == "" {
					t.Errorf("%s is no error of ours: %v", body, err)
				}
			}
		})
	}
	t.Cleanup(func() {
		if strings.Contains(log.String(), "panicked") {
			t.Error(log)
		}
	})
}

// refusing fails the test when anything but a refusal comes of a request.
type refusing struct {
	*fakeAPI
	t *testing.T
}

func (r refusing) ListVMs(context.Context) ([]model.VM, error) {
	r.t.Error("vm.list was called")
	return nil, nil
}

func (r refusing) ShowVM(_ context.Context, p rpc.NameParams) (model.VM, error) {
	r.t.Errorf("vm.show was called with %.60q", p.Name)
	return model.VM{}, nil
}

func TestCurlNeedsNoMoreThanAHost(t *testing.T) {
	t.Parallel()
	socket, _ := serve(t, newFake())
	for _, request := range []string{
		post("/v1/vm.list", "Content-Type: application/x-www-form-urlencoded\r\nAccept: */*\r\n", "{}"),
		post("/v1/vm.list", "", ""),
	} {
		if status, body := talk(t, socket, request); status != 200 || !strings.HasPrefix(body, `[{"id":"0a"`) {
			t.Errorf("%d %s", status, body)
		}
	}
}

func TestLongCallWithoutEventsJustAnswers(t *testing.T) {
	t.Parallel()
	socket, _ := serve(t, newFake())
	if status, body := talk(t, socket, post("/v1/vm.start", "", `{"name":"web"}`)); status != 200 || !strings.HasPrefix(body, `{"id":"0a"`) {
		t.Errorf("%d %s", status, body)
	}
}

func TestErrorBeforeAnyEventHasItsStatus(t *testing.T) {
	t.Parallel()
	socket, _ := serve(t, newFake())
	status, body := talk(t, socket, post("/v1/vm.start", "Accept: text/event-stream\r\n", `{"nme":"web"}`))
	if status != 400 || !strings.Contains(body, "nme") {
		t.Errorf("%d %s", status, body)
	}
}

// socketTo opens a WebSocket by hand.
func socketTo(t *testing.T, socket, verb string) *websocket.Conn {
	t.Helper()
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return dial(t, socket), nil }}
	t.Cleanup(transport.CloseIdleConnections)
	ws, _, err := websocket.Dial(t.Context(), "ws://banger/v1/"+verb, &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}}) //nolint:bodyclose // hijacked
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ws.CloseNow() })
	return ws
}

func TestHostileSocketsAreRefused(t *testing.T) {
	t.Parallel()
	const params = `{"name":"web","argv":["signal"],"stdin":true}`
	binary := func(s string) []byte { return []byte(s) }
	for name, tc := range map[string]struct {
		first string
		then  [][]byte
		code  model.Code
	}{
		"parameters are no JSON":  {"{", nil, model.CodeInvalid},
		"unknown parameter":       {`{"name":"web","argv":["cat"],"x":1}`, nil, model.CodeInvalid},
		"no command":              {`{"name":"web","argv":[]}`, nil, model.CodeInvalid},
		"unknown type":            {params, [][]byte{binary("\x63")}, model.CodeInvalid},
		"server's type":           {params, [][]byte{binary("\x08{}")}, model.CodeInvalid},
		"empty message":           {params, [][]byte{nil}, model.CodeInvalid},
		"bad size":                {params, [][]byte{binary("\x06{")}, model.CodeInvalid},
		"bad signal":              {params, [][]byte{binary("\x07rm -rf")}, model.CodeInvalid},
		"empty signal":            {params, [][]byte{binary("\x07")}, model.CodeInvalid},
		"long signal":             {params, [][]byte{binary("\x07" + strings.Repeat("A", 999))}, model.CodeInvalid},
		"input beyond the window": {params, [][]byte{append([]byte{2}, make([]byte, 256<<10+1)...)}, model.CodeLimit},
		"input after its end":     {params, [][]byte{{3}, {2, 'x'}}, model.CodeInvalid},
		"input not asked for":     {`{"name":"web","argv":["signal"]}`, [][]byte{{2, 'x'}}, model.CodeInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			socket, _ := serve(t, newFake())
			ws := socketTo(t, socket, "vm.exec")
			if err := ws.Write(t.Context(), websocket.MessageText, []byte(tc.first)); err != nil {
				t.Fatal(err)
			}
			for _, message := range tc.then {
				if err := ws.Write(t.Context(), websocket.MessageBinary, message); err != nil {
					t.Fatal(err)
				}
			}
			if told := lastError(t, ws); told.Code != tc.code {
				t.Errorf("%+v", told)
			}
		})
	}
}

// lastError reads up to the error message.
func lastError(t *testing.T, ws *websocket.Conn) model.Error {
	t.Helper()
	for {
		_, message, err := ws.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if rest, ok := bytes.CutPrefix(message, []byte{9}); ok {
			var told model.Error
			if err := json.Unmarshal(rest, &told); err != nil {
				t.Fatal(err)
			}
			return told
		}
	}
}

func TestTooLongAMessageEndsTheProcess(t *testing.T) {
	t.Parallel()
	fake := newFake()
	fake.block = true
	socket, _ := serve(t, fake)
	ws := socketTo(t, socket, "vm.exec")
	if err := ws.Write(t.Context(), websocket.MessageText, []byte(`{"name":"web","argv":["x"],"stdin":true}`)); err != nil {
		t.Fatal(err)
	}
	<-fake.entered
	_ = ws.Write(t.Context(), websocket.MessageBinary, make([]byte, protocol.MaxBody+1))
	if cause := <-fake.left; cause == nil {
		t.Error("the call was not canceled")
	}
}
