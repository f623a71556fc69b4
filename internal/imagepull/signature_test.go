package imagepull_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"banger/internal/cosign"
	"banger/internal/imagepull"
	"banger/internal/model"
)

// signer signs images as cosign does with a key pair.
type signer struct {
	private *ecdsa.PrivateKey
	key     *cosign.Key
}

func newSigner(t *testing.T) signer {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	key, err := cosign.ParseKey(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	if err != nil {
		t.Fatal(err)
	}
	return signer{private, key}
}

// sign returns the layer of one signature.
func (s signer) sign(t *testing.T, digest string) mutate.Addendum {
	t.Helper()
	payload := []byte(`{"critical":{"identity":{"docker-reference":""},"image":{"docker-manifest-digest":"` + digest +
		`"},"type":"cosign container image signature"},"optional":null}`)
	sum := sha256.Sum256(payload)
	signature, err := ecdsa.SignASN1(rand.Reader, s.private, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return signatureLayer(payload, base64.StdEncoding.EncodeToString(signature))
}

func signatureLayer(payload []byte, signature string) mutate.Addendum {
	return mutate.Addendum{
		Layer:       static.NewLayer(payload, "application/vnd.dev.cosign.simplesigning.v1+json"),
		Annotations: map[string]string{"dev.cosignproject.cosign/signature": signature},
	}
}

// signatures makes a manifest of layers.
func signatures(t *testing.T, layers ...mutate.Addendum) v1.Image {
	t.Helper()
	img, err := mutate.Append(mutate.MediaType(empty.Image, types.OCIManifestSchema1), layers...)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// pushed returns the digest of what ref names and the tag of its signatures.
func pushed(t *testing.T, ref string) (v1.Descriptor, name.Tag) {
	t.Helper()
	tag, err := name.NewTag(ref)
	if err != nil {
		t.Fatal(err)
	}
	d, err := remote.Head(tag)
	if err != nil {
		t.Fatal(err)
	}
	return *d, tag.Context().Tag("sha256-" + d.Digest.Hex + ".sig")
}

func write(t *testing.T, ref name.Reference, img v1.Image) {
	t.Helper()
	if err := remote.Write(ref, img); err != nil {
		t.Fatal(err)
	}
	as[*http.Transport](http.DefaultTransport).CloseIdleConnections()
}

func (r *rig) resolveSigned(t *testing.T, ref string, key *cosign.Key) (*imagepull.Image, error) {
	t.Helper()
	parsed, err := imagepull.ParseRef(ref)
	if err != nil {
		t.Fatal(err)
	}
	if parsed, err = parsed.SignedBy(key); err != nil {
		t.Fatal(err)
	}
	return r.Resolve(context.Background(), parsed, "linux/amd64", r.report)
}

// TestSignedImages: the signature is looked for under cosign's tag, and a good
// one among others is enough.
func TestSignedImages(t *testing.T) {
	t.Parallel()
	ours, theirs := newSigner(t), newSigner(t)
	for what, layers := range map[string]func(digest string) []mutate.Addendum{
		"one":             func(d string) []mutate.Addendum { return []mutate.Addendum{ours.sign(t, d)} },
		"after another's": func(d string) []mutate.Addendum { return []mutate.Addendum{theirs.sign(t, d), ours.sign(t, d)} },
	} {
		reg, r := newTestRegistry(t), newRig(t, nil)
		ref := reg.push(t, archive(t, file("a", "1")))
		d, tag := pushed(t, ref)
		write(t, tag, signatures(t, layers(d.Digest.String())...))
		img, err := r.resolveSigned(t, ref, ours.key)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		if img.Source.Verified != ours.key.Fingerprint() {
			t.Errorf("%s: verified by %q", what, img.Source.Verified)
		}
		// A digest that is in the cache is no way around the signature.
		byDigest := reg.Host + "/team/app@" + d.Digest.String()
		if _, err := r.resolveSigned(t, byDigest, newSigner(t).key); model.CodeOf(err) != model.CodeIntegrity {
			t.Errorf("%s: by digest and with a third key: %v", what, err)
		}
	}
}

// TestSignedByReferrer: newer signatures are no tag but refer to the image,
// which a registry lists, or an index under a tag of the image's digest.
func TestSignedByReferrer(t *testing.T) {
	t.Parallel()
	ours := newSigner(t)
	reg, r := newTestRegistry(t), newRig(t, nil)
	ref := reg.push(t, archive(t, file("a", "1")))
	d, tag := pushed(t, ref)
	img := mutate.ConfigMediaType(signatures(t, ours.sign(t, d.Digest.String())), "application/vnd.dev.cosign.artifact.sig.v1+json")
	referring, ok := mutate.Subject(img, d).(v1.Image)
	if !ok {
		t.Fatal("no image")
	}
	digest, err := referring.Digest()
	if err != nil {
		t.Fatal(err)
	}
	write(t, tag.Context().Digest(digest.String()), referring)
	got, err := r.resolveSigned(t, ref, ours.key)
	if err != nil || got.Source.Verified != ours.key.Fingerprint() {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := r.resolveSigned(t, ref, newSigner(t).key); model.CodeOf(err) != model.CodeIntegrity {
		t.Errorf("with another key: %v", err)
	}
}

// TestBadSignatures: nothing of the image itself is asked for before its
// signature is right, and the error says what is wrong.
func TestBadSignatures(t *testing.T) {
	t.Parallel()
	ours, theirs := newSigner(t), newSigner(t)
	other := "sha256:" + strings.Repeat("0", 64)
	many := func(d string) []mutate.Addendum { return slices.Repeat([]mutate.Addendum{theirs.sign(t, d)}, 65) }
	for what, c := range map[string]struct {
		layers func(digest string) []mutate.Addendum // nil: no signature
		code   model.Code
		says   string
	}{
		"none":             {nil, model.CodeIntegrity, "has no signature in registry"},
		"empty":            {func(string) []mutate.Addendum { return nil }, model.CodeIntegrity, "has no signature"},
		"another key":      {func(d string) []mutate.Addendum { return []mutate.Addendum{theirs.sign(t, d)} }, model.CodeIntegrity, "another key"},
		"another image":    {func(string) []mutate.Addendum { return []mutate.Addendum{ours.sign(t, other)} }, model.CodeIntegrity, "another image"},
		"two bad":          {func(d string) []mutate.Addendum { return []mutate.Addendum{theirs.sign(t, d), ours.sign(t, other)} }, model.CodeIntegrity, "none of the 2"},
		"too many":         {many, model.CodeLimit, "at most 64"},
		"a large payload":  {func(string) []mutate.Addendum { return []mutate.Addendum{signatureLayer(make([]byte, 65<<10), "AA==")} }, model.CodeLimit, "at most 65536"},
		"no signature key": {func(string) []mutate.Addendum { return []mutate.Addendum{signatureLayer([]byte("{}"), "")} }, model.CodeIntegrity, "has no signature"},
		"no base64":        {func(string) []mutate.Addendum { return []mutate.Addendum{signatureLayer([]byte("{}"), "%")} }, model.CodeIntegrity, "decoding the signature"},
	} {
		reg, r := newTestRegistry(t), newRig(t, nil)
		ref := reg.push(t, archive(t, file("a", "1")))
		d, tag := pushed(t, ref)
		if c.layers != nil {
			write(t, tag, signatures(t, c.layers(d.Digest.String())...))
		}
		_, err := r.resolveSigned(t, ref, ours.key)
		if model.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %q: %v", what, model.CodeOf(err), err)
		}
		m, err := remote.Image(tag.Context().Digest(d.Digest.String()))
		if err != nil {
			t.Fatal(err)
		}
		manifest, err := m.Manifest()
		if err != nil {
			t.Fatal(err)
		}
		if n := reg.BlobGets()["/v2/team/app/blobs/"+manifest.Config.Digest.String()]; n != 0 {
			t.Errorf("%s: the configuration was asked for %d times", what, n)
		}
		as[*http.Transport](http.DefaultTransport).CloseIdleConnections()
	}
}

// TestSignatureDocumentsAreBounded: what a registry sends in place of
// signatures is bounded and verified as all else.
func TestSignatureDocumentsAreBounded(t *testing.T) {
	t.Parallel()
	ours := newSigner(t)
	send := func(body string) fault {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, ".sig") {
				return false
			}
			_, _ = w.Write([]byte(body))
			return true
		}
	}
	missing := `{"schemaVersion":2,"layers":[{"mediaType":"application/vnd.dev.cosign.simplesigning.v1+json","size":2,"digest":"sha256:` +
		strings.Repeat("0", 64) + `","annotations":{"dev.cosignproject.cosign/signature":"AA=="}}]}`
	for what, c := range map[string]struct {
		body string
		code model.Code
	}{
		"too large":  {strings.Repeat(" ", 5<<20), model.CodeLimit},
		"no JSON":    {"<html>", model.CodeIntegrity},
		"no payload": {missing, model.CodeNotFound},
		"no digest":  {strings.ReplaceAll(missing, "sha256:0", "../../"), model.CodeIntegrity},
	} {
		reg, r := newTestRegistry(t), newRig(t, nil)
		ref := reg.push(t, archive(t, file("a", "1")))
		reg.Misbehave(send(c.body))
		if _, err := r.resolveSigned(t, ref, ours.key); model.CodeOf(err) != c.code {
			t.Errorf("%s: got %q: %v", what, model.CodeOf(err), err)
		}
	}
}

// TestSignaturesAreOfRegistries: nothing else can have one.
func TestSignaturesAreOfRegistries(t *testing.T) {
	t.Parallel()
	key := newSigner(t).key
	for _, ref := range []string{"oci:/srv/layout", "tar:/srv/rootfs.tar", "-", "podman:app"} {
		parsed, err := imagepull.ParseRef(ref)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parsed.SignedBy(key); model.CodeOf(err) != model.CodeUnsupported {
			t.Errorf("%s: %v", ref, err)
		}
	}
}
