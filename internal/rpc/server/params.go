package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"banger/internal/model"
	"banger/internal/rpc/protocol"
)

// bodyTimeout bounds how long a request may take to arrive.
const bodyTimeout = 30 * time.Second

// schemas holds the JSON schema of every type of the API. The one that
// requests are checked against is the one that the OpenAPI document shows.
type schemas struct {
	registry huma.Registry
}

func newSchemas() schemas {
	return schemas{huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer)}
}

// of returns a reference to t's schema.
func (s schemas) of(t reflect.Type) *huma.Schema { return s.registry.Schema(t, true, t.Name()) }

// decode checks body against the schema of P, which refuses unknown fields,
// and returns it. An empty body is an empty object.
func decode[P any](s schemas, body []byte) (P, error) {
	var params P
	if len(bytes.TrimSpace(body)) == 0 {
		body = []byte("{}")
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return params, model.Errorf(model.CodeInvalid, "reading the request: %w", err)
	}
	if err := s.check(reflect.TypeFor[P](), value); err != nil {
		return params, err
	}
	if err := json.Unmarshal(body, &params); err != nil {
		return params, model.Errorf(model.CodeInvalid, "reading the request: %w", err)
	}
	return params, nil
}

// check validates value. The error tells where and what is wrong but not the
// value, which may be long or secret.
func (s schemas) check(t reflect.Type, value any) error {
	result := &huma.ValidateResult{}
	huma.Validate(s.registry, s.of(t), huma.NewPathBuffer(nil, 0), huma.ModeWriteToServer, value, result)
	if len(result.Errors) == 0 {
		return nil
	}
	const shown = 5
	var faults []string
	for _, err := range result.Errors[:min(shown, len(result.Errors))] {
		faults = append(faults, fault(err))
	}
	return model.Errorf(model.CodeInvalid, "the request is not valid: %s", strings.Join(faults, "; ")).
		WithHint("GET %s describes every request", protocol.OpenAPIPath)
}

func fault(err error) string {
	var detail *huma.ErrorDetail
	if !errors.As(err, &detail) {
		return err.Error()
	}
	if detail.Location == "" {
		return detail.Message
	}
	const longest = 64 // a location may be a key of the caller's choice
	return model.Printable(detail.Location[:min(longest, len(detail.Location))]) + ": " + detail.Message
}

// readBody returns the whole body of a request, of at most MaxBody bytes.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(bodyTimeout)) // not all writers can, in tests
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, protocol.MaxBody))
	_ = control.SetReadDeadline(time.Time{}) // the server goes on reading, to see the client leave
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return nil, bodyTooLong()
	case err != nil:
		return nil, model.Errorf(model.CodeInvalid, "reading the request: %w", err)
	}
	return body, nil
}

func bodyTooLong() error {
	return model.Errorf(model.CodeLimit, "the request is longer than %d bytes", protocol.MaxBody)
}
