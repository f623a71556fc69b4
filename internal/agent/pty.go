package agent

import (
	"errors"
	"fmt"
	"os"

	"banger/internal/model"

	"golang.org/x/sys/unix"
)

// openPTY returns the two ends of a new terminal, ptmx(4). The slave is
// opened through its master, not by a path of the image's.
func openPTY(size *model.WinSize) (master, slave *os.File, err error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("opening a terminal: %w", err)
	}
	master = os.NewFile(uintptr(fd), "/dev/ptmx")
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("unlocking a terminal: %w", err), master.Close())
	}
	peer, err := ioctl(fd, unix.TIOCGPTPEER, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("opening a terminal's other end: %w", err), master.Close())
	}
	slave = os.NewFile(uintptr(peer), "tty")
	if size != nil {
		resizePTY(master, *size)
	}
	return master, slave, nil
}

// resizePTY tells the terminal's size; its foreground processes get SIGWINCH.
func resizePTY(master *os.File, s model.WinSize) {
	withFD(master, func(fd int) {
		_ = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: s.Rows, Col: s.Cols})
	})
}

// endPTYInput types the terminal's end-of-file character. In raw mode there
// is none, and the program sees no end.
func endPTYInput(master *os.File) {
	var eof []byte
	withFD(master, func(fd int) {
		if t, err := unix.IoctlGetTermios(fd, unix.TCGETS); err == nil && t.Lflag&unix.ICANON != 0 {
			eof = []byte{t.Cc[unix.VEOF]}
		}
	})
	_, _ = master.Write(eof)
}
