// Package builder builds Dockerfiles with the container engines of this host:
// docker, podman and buildah. Each is its program, called with a vector of
// arguments; what it builds comes back as an archive of docker save.
package builder
