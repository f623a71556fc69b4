package vm

import (
	"context"
	"math/rand/v2"

	"banger/internal/model"
)

var (
	adjectives = []string{
		"amber", "bold", "brisk", "calm", "clear", "crisp", "deft", "eager", "fair", "fleet", "fond", "glad", "grand", "keen", "kind", "lively",
		"lucid", "mellow", "merry", "mild", "neat", "nimble", "plain", "proud", "quick", "quiet", "rapid", "ready", "sharp", "sleek", "solid", "sunny",
		"swift", "tidy", "true", "vivid", "warm", "wise", "witty", "zesty",
	}
	animals = []string{
		"badger", "bison", "crane", "curlew", "dingo", "dove", "falcon", "ferret", "finch", "fox", "gecko", "gull", "hare", "heron", "ibex", "jackal",
		"kestrel", "koala", "lark", "lemur", "lynx", "marten", "mole", "moose", "newt", "otter", "owl", "panda", "pika", "quail", "raven", "robin",
		"seal", "shrew", "stoat", "swan", "tapir", "tern", "vole", "wren",
	}
)

// nameFor returns the name asked for, or one that nobody has.
func (s *Service) nameFor(ctx context.Context, asked string) (string, error) {
	if asked != "" {
		return asked, nil
	}
	for range 20 {
		name := adjectives[rand.IntN(len(adjectives))] + "-" + animals[rand.IntN(len(animals))] //nolint:gosec // a name is no secret
		vm, err := s.cfg.Store.VM(ctx, name)
		switch {
		case model.CodeOf(err) == model.CodeNotFound:
			return name, nil
		case err != nil:
			return "", err
		case vm.Name != name:
			return name, nil
		}
	}
	return "vm-" + model.NewID(), nil
}
