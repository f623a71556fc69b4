// Command init is the /init of the boot test: it loads the modules that
// /modules.list names, says what it sees, and resets the machine.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	defer unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
	for dir, kind := range map[string]string{"/proc": "proc", "/sys": "sysfs", "/dev": "devtmpfs"} {
		if err := unix.Mount(kind, dir, kind, 0, ""); err != nil {
			fmt.Println("mounting", dir, err)
		}
	}
	list, err := os.ReadFile("/modules.list")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, path := range strings.Fields(string(list)) {
		began := time.Now()
		fmt.Println("TEST load", path, load(path), time.Since(began))
	}
	for range 500 {
		if _, err := os.Stat("/dev/vda"); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	for _, pattern := range []string{"/dev/vda", "/dev/vport*", "/sys/class/net/eth0"} {
		found, _ := filepath.Glob(pattern)
		fmt.Println("TEST found", pattern, len(found))
	}
	fmt.Println("TEST done")
}

func load(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.FinitModule(int(f.Fd()), "", 0)
}
