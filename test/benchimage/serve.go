package main

import (
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// serve starts a registry on loopback that has the image of a layout, and
// returns the image's reference.
func serve(dir string) (ref string, stop func(), err error) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	ref = strings.TrimPrefix(server.URL, "http://") + "/bench:latest"
	if err := push(dir, ref); err != nil {
		server.Close()
		return "", nil, fmt.Errorf("filling the registry: %w", err)
	}
	return ref, server.Close, nil
}

func push(dir, ref string) error {
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return err
	}
	if len(manifest.Manifests) != 1 {
		return fmt.Errorf("%s has %d images in place of one", dir, len(manifest.Manifests))
	}
	img, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		return err
	}
	target, err := name.ParseReference(ref)
	if err != nil {
		return err
	}
	return remote.Write(target, img)
}
