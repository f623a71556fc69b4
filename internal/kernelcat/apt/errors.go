package apt

import (
	"context"
	"errors"
	"strings"

	"banger/internal/model"
)

// symptoms tell a failure's code by what apt says in English; the first one
// found counts. Integrity comes before reachability: a mirror that answers
// wrongly is never taken for one that is down.
var symptoms = []struct {
	code  model.Code
	texts []string
}{
	{model.CodeIntegrity, []string{
		"is not signed", "no_pubkey", "badsig", "invalid signature", "hash sum mismatch", "signatures were invalid",
		"signatures couldn't be verified", "could not be authenticated", "unexpected size", "clearsigned file isn't valid", "expkeysig",
	}},
	{model.CodeNoSpace, []string{"no space left on device", "don't have enough free space"}},
	{model.CodeNotFound, []string{"no packages found", "unable to locate package", "does not have a release file", "404  not found"}},
	{model.CodeUnreachable, []string{
		"could not resolve", "temporary failure", "could not connect", "cannot initiate the connection",
		"connection timed out", "connection refused", "connection failed", "network is unreachable",
		"unable to connect", "failed to fetch", "some index files failed",
	}},
}

// classify gives a failed command of apt its code; said is its standard
// error in lower case.
func classify(err error, said string) error {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return model.Errorf(model.CodeTimeout, "apt took too long: %w", err)
	case errors.Is(err, context.Canceled):
		return model.Errorf(model.CodeCanceled, "apt was ended: %w", err)
	}
	for _, s := range symptoms {
		for _, text := range s.texts {
			if strings.Contains(said, text) {
				return coded(s.code, err)
			}
		}
	}
	return coded(model.CodeInternal, err)
}

func coded(code model.Code, err error) error {
	e := model.Errorf(code, "%w", err)
	switch code {
	case model.CodeUnreachable:
		return e.WithHint("check the network and the host's apt sources with: apt-get update")
	case model.CodeIntegrity:
		return e.WithHint("the mirror's files are not what the distribution signed: try another mirror")
	default:
		return e
	}
}
