package rpc_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"banger/internal/rpc"
)

// document is the part of OpenAPI 3.1 that the tests look at.
type document struct {
	OpenAPI string `json:"openapi"`
	Paths   map[string]map[string]struct {
		OperationID string `json:"operationId"`
		Summary     string `json:"summary"`
		RequestBody struct {
			Content map[string]any `json:"content"`
		} `json:"requestBody"`
		Responses map[string]struct {
			Content map[string]any `json:"content"`
		} `json:"responses"`
		Messages []struct {
			Type int    `json:"type"`
			Name string `json:"name"`
		} `json:"x-banger-messages"`
	} `json:"paths"`
	Components struct {
		Schemas map[string]struct {
			Properties map[string]any `json:"properties"`
			Additional *bool          `json:"additionalProperties"`
		} `json:"schemas"`
	} `json:"components"`
}

func fetchDocument(t *testing.T) (document, string) {
	t.Helper()
	socket, _ := serve(t, newFake())
	status, body := talk(t, socket, "GET /v1/openapi.json HTTP/1.1\r\nHost: banger\r\n\r\n")
	var doc document
	if err := json.Unmarshal([]byte(body), &doc); err != nil || status != 200 || !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Fatalf("%d, %v, OpenAPI %q", status, err, doc.OpenAPI)
	}
	return doc, body
}

func TestOpenAPIListsEveryOperation(t *testing.T) {
	t.Parallel()
	doc, _ := fetchDocument(t)
	found := map[string]bool{}
	for path, methods := range doc.Paths {
		for method, op := range methods {
			found[op.OperationID] = true
			if op.Summary == "" || len(op.Responses) < 2 {
				t.Errorf("%s %s is not described", method, path)
			}
			switch method {
			case "get":
				if len(op.Messages) != 11 || op.Responses["101"].Content != nil {
					t.Errorf("%s: messages %v", path, op.Messages)
				}
			case "post":
				if op.RequestBody.Content["application/json"] == nil || len(op.Responses["200"].Content) == 0 {
					t.Errorf("%s has no body or no answer", path)
				}
			}
		}
	}
	for method := range reflect.TypeFor[rpc.API]().Methods() {
		if !found[method.Name] {
			t.Errorf("%s is missing", method.Name)
		}
	}
	if len(found) != reflect.TypeFor[rpc.API]().NumMethod() {
		t.Errorf("%d operations", len(found))
	}
}

func TestOpenAPIDescribesEventsErrorsAndSchemas(t *testing.T) {
	t.Parallel()
	doc, body := fetchDocument(t)
	pull := doc.Paths["/v1/image.pull"]["post"]
	if pull.Responses["200"].Content["text/event-stream"] == nil || pull.Responses["409"].Content["application/json"] == nil {
		t.Errorf("image.pull answers %v", pull.Responses)
	}
	if doc.Paths["/v1/vm.logs"]["post"].Responses["200"].Content["application/octet-stream"] == nil {
		t.Error("vm.logs is not a stream")
	}
	params := doc.Components.Schemas["ImagePullParams"]
	if params.Properties["kernel_ref"] == nil || params.Additional == nil || *params.Additional {
		t.Errorf("ImagePullParams: %+v", params)
	}
	if wrong := doc.Components.Schemas["Error"]; wrong.Properties["code"] == nil || wrong.Properties["Err"] != nil {
		t.Errorf("Error: %+v", wrong)
	}
	for _, ref := range strings.Split(body, `"$ref":"#/components/schemas/`)[1:] {
		name, _, _ := strings.Cut(ref, `"`)
		if _, ok := doc.Components.Schemas[name]; !ok {
			t.Errorf("%s is referred to and missing", name)
		}
	}
}
