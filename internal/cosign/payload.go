package cosign

import (
	"encoding/base64"
	"encoding/json"

	"banger/internal/model"
)

// payloadType is what a payload says that it is.
const payloadType = "cosign container image signature"

// payload is the document that is signed.
type payload struct {
	Critical struct {
		Type  string `json:"type"`
		Image struct {
			Digest string `json:"docker-manifest-digest"`
		} `json:"image"`
	} `json:"critical"`
}

// Check checks that document is a payload about the manifest of that digest,
// and that signature, in base64, was made of it with the key. The signature
// comes first: nothing is read of a document that nobody vouches for. Errors
// are CodeIntegrity.
func (k *Key) Check(document []byte, signature, digest string) error {
	raw, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return model.Errorf(model.CodeIntegrity, "decoding the signature: %w", err)
	}
	if !k.signed(document, raw) {
		return model.Errorf(model.CodeIntegrity, "it was made with another key, or of something else")
	}
	var p payload
	if err := json.Unmarshal(document, &p); err != nil {
		return model.Errorf(model.CodeIntegrity, "decoding what is signed: %w", err)
	}
	if p.Critical.Type != payloadType {
		return model.Errorf(model.CodeIntegrity, "what is signed is a %.60q, not a %q", p.Critical.Type, payloadType)
	}
	if p.Critical.Image.Digest != digest {
		return model.Errorf(model.CodeIntegrity, "it is of another image, %.100q", p.Critical.Image.Digest)
	}
	return nil
}
