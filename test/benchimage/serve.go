package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"banger/internal/imagepull"
)

// server is a registry on loopback that has OCI layouts: HOST/NAME:latest is
// the image of the layout DIR/NAME. Blobs go from their files to the socket,
// so that it takes next to no time of the processors.
type server struct {
	*httptest.Server
	dir string
}

func serve(dir string) *server {
	s := &server{dir: dir}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v2/{$}", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /v2/{name}/manifests/{ref}", s.manifest)
	mux.HandleFunc("GET /v2/{name}/blobs/{digest}", s.blob)
	s.Server = httptest.NewServer(mux)
	return s
}

func (s *server) ref(name string) string {
	return strings.TrimPrefix(s.URL, "http://") + "/" + name + ":latest"
}

// blobPath is where a layout has a blob.
func (s *server) blobPath(name, digest string) string {
	algorithm, hex, _ := strings.Cut(digest, ":")
	return filepath.Join(s.dir, filepath.Base(name), "blobs", filepath.Base(algorithm), filepath.Base(hex))
}

func (s *server) blob(w http.ResponseWriter, r *http.Request) {
	http.ServeFile(w, r, s.blobPath(r.PathValue("name"), r.PathValue("digest")))
}

func (s *server) manifest(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	d, err := firstManifest(filepath.Join(s.dir, filepath.Base(name)))
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", d.MediaType)
	w.Header().Set("Docker-Content-Digest", d.Digest)
	http.ServeFile(w, r, s.blobPath(name, d.Digest))
}

// described is a descriptor (image-spec, descriptor.md).
type described struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
}

// firstManifest returns the descriptor of a layout's only image.
func firstManifest(layout string) (described, error) {
	var index struct{ Manifests []described }
	if err := readJSON(filepath.Join(layout, "index.json"), &index); err != nil {
		return described{}, err
	}
	if len(index.Manifests) != 1 {
		return described{}, fmt.Errorf("%s has %d images in place of one", layout, len(index.Manifests))
	}
	return index.Manifests[0], nil
}

// layers returns the paths of the blobs of a layout's layers.
func (s *server) layers(name string) ([]string, error) {
	d, err := firstManifest(filepath.Join(s.dir, name))
	if err != nil {
		return nil, err
	}
	var manifest struct{ Layers []described }
	if err := readJSON(s.blobPath(name, d.Digest), &manifest); err != nil {
		return nil, err
	}
	var paths []string
	for _, l := range manifest.Layers {
		if _, err := imagepull.ParseDigest(l.Digest); err != nil {
			return nil, err
		}
		paths = append(paths, s.blobPath(name, l.Digest))
	}
	return paths, nil
}

func readJSON(path string, into any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}
