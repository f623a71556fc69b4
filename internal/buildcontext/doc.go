// Package buildcontext reads the directory that a Dockerfile copies from: what
// .dockerignore leaves, what a COPY means of it, its digest, and its files as
// members of a layer. Nothing outside of the directory is read, whatever its
// symbolic links say.
package buildcontext
