// Package dockerfile reads Dockerfiles: text to stages of instructions, words
// with variables expanded, what an instruction makes of an image's
// configuration, and the keys of steps. All of it is pure.
//
// The format is that of the Dockerfile reference (docs.docker.com,
// "Dockerfile reference"). What is not supported is refused by name with its
// line.
package dockerfile
