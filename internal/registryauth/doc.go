// Package registryauth finds the credentials for a registry where docker,
// podman and skopeo keep them: their authentication files, and the credential
// helpers that these name. It writes nothing.
//
// Sources: containers-auth.json(5), docker's config.json, and the protocol of
// docker-credential-helpers.
package registryauth
