package agent_test

import (
	"io"
	"testing"

	"banger/internal/guest"
	"banger/internal/wire"
)

func BenchmarkExec(b *testing.B) {
	c := connect(b)
	b.ReportAllocs()
	for b.Loop() {
		status, err := c.Exec(b.Context(), wire.ExecRequest{Argv: []string{"true"}, WorkingDir: "/"}, guest.Stdio{Stdout: io.Discard, Stderr: io.Discard})
		if err != nil || status.Code != 0 {
			b.Fatal(status, err)
		}
	}
}
