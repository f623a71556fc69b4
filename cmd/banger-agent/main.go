// Command banger-agent is /init of a guest's initramfs. As "banger-agent
// probe" it tells, inside of a guest made for that, what the kernel can do, and
// the kernel of a guest runs it to have a module loaded.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"banger/internal/agent"
	"banger/internal/probe"
)

// Set by the linker.
var (
	version   = "dev"
	commit    = ""
	buildTime = ""
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == "probe" {
		if err := json.NewEncoder(os.Stdout).Encode(probe.All()); err != nil {
			os.Exit(1)
		}
		return
	}
	if name, ok := agent.ModuleRequest(os.Args); ok {
		if err := agent.LoadOnRequest(name); err != nil {
			os.Exit(1)
		}
		return
	}
	if os.Getpid() != 1 {
		fmt.Println("banger-agent", version, commit, buildTime)
		fmt.Fprintln(os.Stderr, "banger-agent runs as /init of a guest; nothing is to be done here")
		return
	}
	// The end of init is a panic of the guest's kernel, which its host sees.
	fmt.Fprintln(os.Stderr, "banger-agent:", agent.Boot(context.Background(), version))
	os.Exit(1)
}
