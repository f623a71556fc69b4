// Package web is HTTP as kernels are fetched by it: encrypted except on this
// host, and without a wait that has no end.
package web
