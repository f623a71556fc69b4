package store

import "context"

// Check reads through the whole database and returns what is wrong with it, a
// CodeIntegrity.
func (s *Store) Check(ctx context.Context) error { return check(ctx, s.read, "the database") }
