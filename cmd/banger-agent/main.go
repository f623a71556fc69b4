// Command banger-agent is /init of a guest's initramfs.
package main

import (
	"context"
	"fmt"
	"os"

	"banger/internal/agent"
)

// Set by the linker.
var (
	version   = "dev"
	commit    = ""
	buildTime = ""
)

func main() {
	if os.Getpid() != 1 {
		fmt.Println("banger-agent", version, commit, buildTime)
		fmt.Fprintln(os.Stderr, "banger-agent runs as /init of a guest; nothing is to be done here")
		return
	}
	// The end of init is a panic of the guest's kernel, which its host sees.
	fmt.Fprintln(os.Stderr, "banger-agent:", agent.Boot(context.Background(), version))
	os.Exit(1)
}
