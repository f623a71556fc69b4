// Package cosign checks signatures of container images that were made with a
// key pair, in the format of cosign and the containers project: a small JSON
// document, the payload, names the manifest's digest and is what is signed.
// Certificates and transparency logs are not looked at: who has the key is
// trusted.
//
// Sources: sigstore/cosign specs/SIGNATURE_SPEC.md, and containers/image
// docs/containers-signature.5.md ("simple signing") for the payload.
package cosign
