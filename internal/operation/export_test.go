package operation

import (
	"maps"
	"slices"
)

// Locks returns the keys of locks that are held or waited for.
func (s *Service) Locks() []string {
	s.locks.mu.Lock()
	defer s.locks.mu.Unlock()
	return slices.Sorted(maps.Keys(s.locks.entries))
}
