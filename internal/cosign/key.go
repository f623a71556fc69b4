package cosign

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"

	"banger/internal/model"
)

// MaxKeyBytes bounds a file with a public key.
const MaxKeyBytes = 16 << 10

// Sizes of RSA keys. A larger one would make checking take noticeable time.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// Key is the public half of a signer's key pair: ECDSA on a NIST curve of at
// least 256 bits, RSA or Ed25519.
type Key struct {
	public      crypto.PublicKey
	fingerprint string
}

// ParseKey reads the one public key of a PEM file (RFC 7468), as cosign.pub
// holds it. Whatever else is there is CodeInvalid.
func ParseKey(text []byte) (*Key, error) {
	if len(text) > MaxKeyBytes {
		return nil, model.Errorf(model.CodeInvalid, "the public key has %d bytes: at most %d are allowed", len(text), MaxKeyBytes)
	}
	block, rest := pem.Decode(text)
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return nil, model.Errorf(model.CodeInvalid, "this is no PEM file of one public key").
			WithHint("a file like cosign.pub is wanted: -----BEGIN PUBLIC KEY-----")
	}
	public, err := parsePublic(block)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, model.Errorf(model.CodeInvalid, "reading the public key: %w", err)
	}
	sum := sha256.Sum256(der)
	return &Key{public: public, fingerprint: "sha256:" + hex.EncodeToString(sum[:])}, nil
}

func parsePublic(block *pem.Block) (crypto.PublicKey, error) {
	var public crypto.PublicKey
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		public, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		public, err = x509.ParsePKCS1PublicKey(block.Bytes)
	default:
		return nil, model.Errorf(model.CodeInvalid, "the file holds a %.40q, not a PUBLIC KEY", block.Type).
			WithHint("cosign public-key --key cosign.key writes the public one")
	}
	if err != nil {
		return nil, model.Errorf(model.CodeInvalid, "reading the public key: %w", err)
	}
	return public, checkStrength(public)
}

func checkStrength(public crypto.PublicKey) error {
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		if bits := key.Curve.Params().BitSize; bits < 256 {
			return model.Errorf(model.CodeInvalid, "an ECDSA key of %d bits is too weak: 256 are wanted", bits)
		}
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return model.Errorf(model.CodeInvalid, "an RSA key of %d bits: from %d to %d are allowed", bits, minRSABits, maxRSABits)
		}
	case ed25519.PublicKey:
	default:
		return model.Errorf(model.CodeUnsupported, "keys of type %T are not known: ECDSA, RSA and Ed25519 are", public)
	}
	return nil
}

// Fingerprint is "sha256:" and the hex SHA-256 of the key's
// SubjectPublicKeyInfo, the same for all spellings of the key.
func (k *Key) Fingerprint() string { return k.fingerprint }

// signed tells whether signature is one of payload.
func (k *Key) signed(payload, signature []byte) bool {
	sum := sha256.Sum256(payload)
	switch key := k.public.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, sum[:], signature)
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) == nil
	case ed25519.PublicKey:
		return ed25519.Verify(key, payload, signature)
	}
	return false
}
