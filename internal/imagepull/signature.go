package imagepull

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"banger/internal/cosign"
	"banger/internal/model"
)

// What cosign writes: a manifest whose layers are payloads, each with its
// signature as an annotation (sigstore/cosign specs/SIGNATURE_SPEC.md). It is
// found under a tag made of the image's digest, or among the manifests that
// refer to the image (OCI distribution-spec 1.1, "Listing Referrers").
const (
	typeSignedPayload     = "application/vnd.dev.cosign.simplesigning.v1+json"
	typeSignatureArtifact = "application/vnd.dev.cosign.artifact.sig.v1+json"
	typeSigstoreBundle    = "application/vnd.dev.sigstore.bundle.v0.3+json"
	signatureAnnotation   = "dev.cosignproject.cosign/signature"
)

// Bounds of what is read to find one good signature.
const (
	maxSignatures    = 64
	maxPayloadBytes  = 64 << 10
	maxSignatureDocs = 16 // manifests with signatures
)

// SignedBy returns the reference as one that is resolved only when its
// manifest, or its index, has a signature of the key in the registry. That is
// CodeUnsupported for images that do not come from a registry.
func (r Ref) SignedBy(key *cosign.Key) (Ref, error) {
	if key == nil {
		return r, nil
	}
	if r.kind != KindRegistry {
		return r, model.Errorf(model.CodeUnsupported, "only images of a registry have signatures: %s has none", r.text)
	}
	r.key = key
	return r, nil
}

// signatures looks for a signature of one document.
type signatures struct {
	*registry
	key    *cosign.Key
	digest Digest

	seen    int   // signatures looked at
	last    error // what is wrong with the last one
	bundles bool  // there are some in a format that is not read
}

// checkSignature returns nil when the document of that digest was signed with
// key; nothing that is below the document in the tree of digests needs more.
func (r *registry) checkSignature(ctx context.Context, key *cosign.Key, digest Digest) error {
	s := &signatures{registry: r, key: key, digest: digest}
	for _, look := range []func(context.Context) (bool, error){s.tagged, s.referring} {
		found, err := look(ctx)
		if err != nil {
			return model.Errorf(model.CodeOf(err), "reading signatures: %w", err)
		}
		if found {
			return nil
		}
	}
	return s.refusal()
}

// refusal says why no signature was good enough.
func (s *signatures) refusal() error {
	switch {
	case s.seen > 1:
		return model.Errorf(model.CodeIntegrity, "none of the %d signatures of %s is good for key %s: of the last, %w", s.seen, s.digest.Short(), s.key.Fingerprint(), s.last)
	case s.seen == 1:
		return model.Errorf(model.CodeIntegrity, "the signature of %s is not good for key %s: %w", s.digest.Short(), s.key.Fingerprint(), s.last)
	case s.bundles:
		return model.Errorf(model.CodeUnsupported, "%s is signed with sigstore bundles alone, which cannot be checked", s.digest.Short()).
			WithHint("let its publisher sign it with cosign sign --new-bundle-format=false --key")
	}
	return model.Errorf(model.CodeIntegrity, "%s has no signature in registry %s", s.digest.Short(), s.repo.RegistryStr()).
		WithHint("its publisher can sign it with cosign sign --key; without --verify-key any image is taken")
}

// tag is the digest as a tag.
func (s *signatures) tag() string { return strings.Replace(string(s.digest), ":", "-", 1) }

// tagged looks at the signatures under the tag that cosign gives them.
func (s *signatures) tagged(ctx context.Context) (bool, error) {
	doc, err := s.optional(ctx, "manifests/"+s.tag()+".sig", descriptor{Size: -1})
	if doc == nil {
		return false, err
	}
	return s.check(ctx, doc)
}

// referring looks at the manifests that say that they belong to the document,
// by the registry's list or the tag that stands for it in older ones.
func (s *signatures) referring(ctx context.Context) (bool, error) {
	doc, err := s.optional(ctx, "referrers/"+string(s.digest), descriptor{Size: -1})
	if doc == nil && err == nil {
		doc, err = s.optional(ctx, "manifests/"+s.tag(), descriptor{Size: -1})
	}
	if doc == nil {
		return false, err
	}
	var index struct {
		Manifests []struct {
			descriptor
			ArtifactType string `json:"artifactType"`
		} `json:"manifests"`
	}
	if err := decodeStrict(doc, &index); err != nil {
		return false, model.Errorf(model.CodeIntegrity, "decoding the list of referring manifests: %w", err)
	}
	looked := 0
	for _, m := range index.Manifests {
		s.bundles = s.bundles || m.ArtifactType == typeSigstoreBundle
		if m.ArtifactType != typeSignatureArtifact {
			continue
		}
		if looked++; looked > maxSignatureDocs {
			return false, fixedLimitError("manifests with signatures", maxSignatureDocs, "too many manifests refer to the image")
		}
		if found, err := s.refers(ctx, m.descriptor); found || err != nil {
			return found, err
		}
	}
	return false, nil
}

func (s *signatures) refers(ctx context.Context, d descriptor) (bool, error) {
	if err := d.check(); err != nil {
		return false, err
	}
	doc, err := s.optional(ctx, "manifests/"+string(d.Digest), descriptor{Digest: d.Digest, Size: d.Size})
	if doc == nil {
		return false, err
	}
	return s.check(ctx, doc)
}

// optional fetches a document; one that is not there is nil. Registries answer
// paths that they do not know in several ways.
func (s *signatures) optional(ctx context.Context, path string, want descriptor) ([]byte, error) {
	doc, _, err := s.document(ctx, path, want, s.limits.ManifestBytes, "manifest_bytes")
	unknown := []int{http.StatusNotFound, http.StatusBadRequest, http.StatusMethodNotAllowed}
	if err != nil && slices.Contains(unknown, statusOf(err)) {
		return nil, nil
	}
	return doc, err
}

// check looks for a good signature in a manifest of signatures.
func (s *signatures) check(ctx context.Context, doc []byte) (bool, error) {
	var m document
	if err := decodeStrict(doc, &m); err != nil {
		return false, model.Errorf(model.CodeIntegrity, "decoding the manifest of signatures: %w", err)
	}
	for _, d := range m.Layers {
		signature := d.Annotations[signatureAnnotation]
		if d.MediaType != typeSignedPayload || signature == "" {
			continue
		}
		if s.seen++; s.seen > maxSignatures {
			return false, fixedLimitError("signatures", maxSignatures, "the image has too many signatures")
		}
		payload, err := s.payload(ctx, d)
		if err != nil {
			return false, err
		}
		if s.last = s.key.Check(payload, signature, string(s.digest)); s.last == nil {
			return true, nil
		}
	}
	return false, nil
}

func (s *signatures) payload(ctx context.Context, d descriptor) ([]byte, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	if d.Size > maxPayloadBytes {
		return nil, fixedLimitError("bytes of what is signed", maxPayloadBytes, "%d bytes are announced", d.Size)
	}
	if d.Data != nil {
		return d.Data, nil
	}
	doc, _, err := s.document(ctx, "blobs/"+string(d.Digest), d, maxPayloadBytes, "manifest_bytes")
	return doc, err
}
