package imagepull

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"banger/internal/model"
)

// skips counts what is left out of an image, by reason, so that nothing is
// left out in silence.
type skips struct {
	mu     sync.Mutex
	counts map[string]int
}

func (s *skips) add(reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.counts == nil {
		s.counts = map[string]int{}
	}
	s.counts[reason]++
}

// tell reports one line per reason.
func (s *skips) tell(report model.Report) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, reason := range slices.Sorted(maps.Keys(s.counts)) {
		report(model.Progress{Note: fmt.Sprintf("left out: %s (%d)", reason, s.counts[reason])})
	}
}
