package imagepull

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

const maxJSONDepth = 64

// freeForm are the keys of objects whose own keys are data, where two that
// differ in case are two.
var freeForm = map[string]bool{"annotations": true, "labels": true, "volumes": true, "exposedports": true}

// decodeStrict decodes one JSON value (RFC 7493, I-JSON: valid UTF-8, no name
// twice). Names that differ only in case are refused as well: decoders
// disagree on which of them counts. Unknown names are allowed, since the
// formats grow.
func decodeStrict(doc []byte, v any) error {
	if !utf8.Valid(doc) {
		return errors.New("not valid UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(doc))
	if err := checkNames(dec, "", 0); err != nil {
		return err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("data after the JSON value")
	}
	return json.Unmarshal(doc, v)
}

// checkNames reads one value, the one called name in its object.
func checkNames(dec *json.Decoder, name string, depth int) error {
	tok, err := dec.Token()
	if err != nil {
		return err
	}
	open, ok := tok.(json.Delim)
	if !ok {
		return nil
	}
	if depth == maxJSONDepth {
		return fmt.Errorf("nested deeper than %d", maxJSONDepth)
	}
	seen := map[string]bool{}
	fold := !freeForm[strings.ToLower(name)]
	for dec.More() {
		key := ""
		if open == '{' {
			if key, err = checkName(dec, seen, fold); err != nil {
				return err
			}
		}
		if err := checkNames(dec, key, depth+1); err != nil {
			return err
		}
	}
	_, err = dec.Token()
	return err
}

// checkName reads a name of an object and remembers it in seen.
func checkName(dec *json.Decoder, seen map[string]bool, fold bool) (string, error) {
	tok, err := dec.Token()
	if err != nil {
		return "", err
	}
	key, ok := tok.(string)
	if !ok {
		return "", fmt.Errorf("name %v is not a string", tok)
	}
	same := key
	if fold {
		same = strings.ToLower(key)
	}
	if seen[same] {
		return "", fmt.Errorf("name %.64q stands twice", key)
	}
	seen[same] = true
	return key, nil
}
