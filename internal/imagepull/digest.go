package imagepull

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"hash"
	"strings"

	"banger/internal/model"
)

// Digest names content by its hash: "sha256:" or "sha512:" and lower-case hex
// digits (OCI image-spec, descriptor.md).
type Digest string

// ParseDigest checks s.
func ParseDigest(s string) (Digest, error) {
	algorithm, sum, _ := strings.Cut(s, ":")
	size := map[string]int{"sha256": 2 * sha256.Size, "sha512": 2 * sha512.Size}[algorithm]
	if size == 0 || len(sum) != size || strings.Trim(sum, "0123456789abcdef") != "" {
		return "", model.Errorf(model.CodeIntegrity, "digest %.150q is neither sha256 nor sha512 in lower-case hex", s)
	}
	return Digest(s), nil
}

// digestOf returns the sha256 digest of b.
func digestOf(b []byte) Digest {
	sum := sha256.Sum256(b)
	return Digest("sha256:" + hex.EncodeToString(sum[:]))
}

// newHash returns a hash for d, which must have been parsed.
func (d Digest) newHash() hash.Hash {
	if d.algorithm() == "sha512" {
		return sha512.New()
	}
	return sha256.New()
}

// matches tells whether h, made by newHash, has seen exactly d's content.
func (d Digest) matches(h hash.Hash) bool { return d.hex() == hex.EncodeToString(h.Sum(nil)) }

func (d Digest) algorithm() string { a, _, _ := strings.Cut(string(d), ":"); return a }

func (d Digest) hex() string { _, h, _ := strings.Cut(string(d), ":"); return h }

// Short returns enough of d for people.
func (d Digest) Short() string { h := d.hex(); return h[:min(12, len(h))] }
