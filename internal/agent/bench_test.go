package agent_test

import (
	"testing"

	"banger/internal/guest"
)

// BenchmarkExec is the cost of a process that does nothing, both ends of the
// wire and its start included.
func BenchmarkExec(b *testing.B) {
	c := ready(b)
	b.ReportAllocs()
	for b.Loop() {
		if status, err := c.Exec(b.Context(), argv("true"), guest.Stdio{}); err != nil || status.Code != 0 {
			b.Fatal(status, err)
		}
	}
}
