// Package server puts an rpc.API on HTTP. routes.go is the table of its
// operations; requests are checked against the same JSON schemas that the
// OpenAPI document at /v1/openapi.json shows.
package server
