package cosign_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"testing"

	"banger/internal/cosign"
	"banger/internal/model"
)

const digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func payload(kind, digest string) []byte {
	return []byte(`{"critical":{"identity":{"docker-reference":"example/app"},"image":{"docker-manifest-digest":"` + digest + `"},"type":"` + kind + `"},"optional":null}`)
}

func good() []byte { return payload("cosign container image signature", digest) }

// signers are key pairs of every kind that is known.
func signers(t *testing.T) map[string]crypto.Signer {
	t.Helper()
	made := map[string]crypto.Signer{}
	for name, curve := range map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		made[name] = key
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	made["Ed25519"] = edwards
	if made["RSA"], err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	return made
}

// sign signs as cosign does: Ed25519 the document, the others its SHA-256.
func sign(t *testing.T, key crypto.Signer, document []byte) string {
	t.Helper()
	sum := sha256.Sum256(document)
	message, opts := sum[:], crypto.SignerOpts(crypto.SHA256)
	if _, ok := key.(ed25519.PrivateKey); ok {
		message, opts = document, crypto.Hash(0)
	}
	signature, err := key.Sign(rand.Reader, message, opts)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(signature)
}

func public(t *testing.T, key crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func TestCheck(t *testing.T) {
	t.Parallel()
	for name, signer := range signers(t) {
		key, err := cosign.ParseKey(public(t, signer.Public()))
		if err != nil {
			t.Fatal(err)
		}
		if err := key.Check(good(), sign(t, signer, good()), digest); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		other := payload("cosign container image signature", strings.Replace(digest, "e", "f", 1))
		kind := payload("atomic container signature", digest)
		for what, c := range map[string]struct {
			document  []byte
			signature string
			says      string
		}{
			"changed":          {append(good(), ' '), sign(t, signer, good()), "another key"},
			"of another":       {other, sign(t, signer, other), "another image"},
			"another kind":     {kind, sign(t, signer, kind), "atomic container signature"},
			"no JSON":          {[]byte("{"), sign(t, signer, []byte("{")), "decoding what is signed"},
			"no base64":        {good(), "%", "decoding the signature"},
			"empty":            {good(), "", "another key"},
			"of another maker": {good(), sign(t, signers(t)[name], good()), "another key"},
		} {
			err := key.Check(c.document, c.signature, digest)
			if model.CodeOf(err) != model.CodeIntegrity || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s: %s: got %v", name, what, err)
			}
		}
	}
}

func TestParseKey(t *testing.T) {
	t.Parallel()
	signer := signers(t)["P-256"]
	good := public(t, signer.Public())
	key, err := cosign.ParseKey(append([]byte("a comment\n"), good...))
	if err != nil || !strings.HasPrefix(key.Fingerprint(), "sha256:") {
		t.Fatalf("%v, %v", key, err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		t.Fatal(err)
	}
	weakCurve, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{
		"empty":       nil,
		"text":        []byte("ssh-ed25519 AAAA"),
		"two keys":    append(good, good...),
		"private key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		"certificate": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1}}),
		"damaged":     pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte{0x30, 0x01}}),
		"weak curve":  public(t, weakCurve.Public()),
		"too long":    append(good, strings.Repeat("\n", cosign.MaxKeyBytes)...),
	} {
		if _, err := cosign.ParseKey(text); model.CodeOf(err) != model.CodeInvalid {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestParseKeyOfOtherForms(t *testing.T) {
	t.Parallel()
	signer := signers(t)["RSA"]
	rsaKey, ok := signer.Public().(*rsa.PublicKey)
	if !ok {
		t.Fatalf("%T", signer.Public())
	}
	one, err := cosign.ParseKey(public(t, rsaKey))
	if err != nil {
		t.Fatal(err)
	}
	two, err := cosign.ParseKey(pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(rsaKey)}))
	if err != nil || one.Fingerprint() != two.Fingerprint() {
		t.Errorf("%v: one key has fingerprints %v and %v", err, one, two)
	}
}
