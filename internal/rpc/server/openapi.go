package server

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"banger/internal/model"
	"banger/internal/rpc/protocol"
)

const about = `banger turns any OCI image into a microVM. The daemon listens on a unix socket:

    curl --unix-socket $XDG_RUNTIME_DIR/banger/banger.sock -d '{}' http://banger/v1/vm.list

Every operation is POST /v1/<noun>.<verb> with a JSON object. Unknown fields are refused, a request
may have 1 MiB, and closing the connection cancels the call. An error is an object with code, message
and perhaps a hint that names the next command; each code has one status.

A long operation that is asked with Accept: text/event-stream answers with any number of progress
events and then one result or error event.`

const aboutSocket = `A WebSocket. The client's first message is text: the parameters as JSON (the
x-banger-parameters schema). All other messages are binary: one byte that says what it is, then the
payload (x-banger-messages). The client may have 262144 bytes of standard input on the way that no
window message has confirmed.`

// openAPI is the document of the API (OpenAPI 3.1), made of the same table
// and the same structs as the server.
func openAPI(table []route) []byte {
	d := document{newSchemas()}
	doc := &huma.OpenAPI{
		OpenAPI:    "3.1.0",
		Info:       &huma.Info{Title: "banger", Version: protocol.Version, Description: about},
		Servers:    []*huma.Server{{URL: "http://" + protocol.Host, Description: "the daemon's unix socket"}},
		Components: &huma.Components{Schemas: d.registry},
	}
	for _, rt := range table {
		doc.AddOperation(d.operation(rt))
	}
	text, err := json.Marshal(doc)
	if err != nil {
		panic("encoding the OpenAPI document: " + err.Error()) // nothing of it comes from outside
	}
	return text
}

// document makes the parts of the OpenAPI document.
type document struct{ schemas }

func (d document) operation(rt route) *huma.Operation {
	noun, _, _ := strings.Cut(rt.verb, ".")
	op := &huma.Operation{
		OperationID: rt.method,
		Method:      http.MethodPost,
		Path:        protocol.PathPrefix + rt.verb,
		Tags:        []string{noun},
		Summary:     rt.summary,
		Responses:   d.errors(),
	}
	if rt.kind == kindSocket {
		d.describeSocket(op, rt)
		return op
	}
	op.RequestBody = &huma.RequestBody{
		Required: d.needsBody(rt.params),
		Content:  map[string]*huma.MediaType{"application/json": {Schema: d.of(rt.params)}},
	}
	op.Responses["200"] = &huma.Response{Description: "done", Content: d.answer(rt)}
	return op
}

// needsBody: an empty body stands for an empty object.
func (d document) needsBody(params reflect.Type) bool {
	return len(d.registry.SchemaFromRef(d.of(params).Ref).Required) > 0
}

func (d document) answer(rt route) map[string]*huma.MediaType {
	if rt.kind == kindStream {
		return map[string]*huma.MediaType{"application/octet-stream": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}}
	}
	if rt.kind == kindLines {
		return map[string]*huma.MediaType{"application/jsonl": {Schema: d.of(rt.result)}}
	}
	content := map[string]*huma.MediaType{"application/json": {Schema: d.of(rt.result)}}
	if rt.kind == kindLong {
		content[protocol.EventStream] = &huma.MediaType{Schema: d.events(rt.result)}
	}
	return content
}

// events describes one event of a stream; the stream is any number of them.
func (d document) events(result reflect.Type) *huma.Schema {
	event := func(name string, data reflect.Type) *huma.Schema {
		return &huma.Schema{
			Type:     huma.TypeObject,
			Required: []string{"event", "data"},
			Properties: map[string]*huma.Schema{
				"event": {Type: huma.TypeString, Enum: []any{name}},
				"data":  d.of(data),
			},
		}
	}
	return &huma.Schema{
		Description: "server-sent events: any number of progress, then a result or an error",
		OneOf: []*huma.Schema{
			event(protocol.EventProgress, reflect.TypeFor[model.Progress]()),
			event(protocol.EventResult, result),
			event(protocol.EventError, reflect.TypeFor[model.Error]()),
		},
	}
}

// errors lists every status that an error may have.
func (d document) errors() map[string]*huma.Response {
	responses := map[string]*huma.Response{}
	for code, status := range protocol.Statuses() {
		responses[strconv.Itoa(status)] = &huma.Response{
			Description: string(code),
			Content:     map[string]*huma.MediaType{"application/json": {Schema: d.of(reflect.TypeFor[model.Error]())}},
		}
	}
	return responses
}

func (d document) describeSocket(op *huma.Operation, rt route) {
	op.Method = http.MethodGet
	op.Description = aboutSocket
	op.Responses["101"] = &huma.Response{Description: "the connection is a WebSocket now"}
	op.Extensions = map[string]any{
		"x-banger-parameters": d.of(rt.params),
		"x-banger-messages":   d.messages(rt.result),
	}
}

// messages is the table at the head of protocol/frames.go.
func (d document) messages(result reflect.Type) []map[string]any {
	bytes := &huma.Schema{Type: huma.TypeString, Format: "binary"}
	message := func(kind protocol.Frame, from, name string, payload *huma.Schema) map[string]any {
		return map[string]any{"type": int(kind), "from": from, "name": name, "payload": payload}
	}
	return []map[string]any{
		message(protocol.FrameProgress, "server", "progress", d.of(reflect.TypeFor[model.Progress]())),
		message(protocol.FrameStarted, "server", "started", d.of(reflect.TypeFor[model.VM]())),
		message(protocol.FrameStdin, "client", "stdin", bytes),
		message(protocol.FrameStdinEnd, "client", "stdin-end", bytes),
		message(protocol.FrameStdout, "server", "stdout", bytes),
		message(protocol.FrameStderr, "server", "stderr", bytes),
		message(protocol.FrameResize, "client", "resize", d.of(reflect.TypeFor[model.WinSize]())),
		message(protocol.FrameSignal, "client", "signal", &huma.Schema{Type: huma.TypeString}),
		message(protocol.FrameExit, "server", "exit", d.of(result)),
		message(protocol.FrameError, "server", "error", d.of(reflect.TypeFor[model.Error]())),
		message(protocol.FrameWindow, "server", "window", &huma.Schema{Type: huma.TypeString, Format: "binary", Description: "uint32, big-endian"}),
	}
}
