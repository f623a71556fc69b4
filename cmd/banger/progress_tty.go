package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"banger/internal/model"
)

const (
	frameEvery = 100 * time.Millisecond
	firstFrame = 150 * time.Millisecond // faster operations show nothing
)

// ttyProgress redraws a few lines in place, ten times a second. Its goroutine
// starts with the first report and is gone when finish returns.
type ttyProgress struct {
	w     io.Writer
	now   func() time.Time
	width func() int
	keep  bool

	mu     sync.Mutex
	view   progressView
	began  time.Time // zero before the first report
	drawn  int       // lines on the screen now
	over   bool
	quit   chan struct{}
	drawer sync.WaitGroup
}

func newTTYProgress(a *app, keep bool) *ttyProgress {
	width := func() int {
		if size := terminalSize(a.stderr); size != nil {
			return max(int(size.Cols), 20)
		}
		return 80
	}
	return &ttyProgress{w: a.stderr, now: a.now, width: width, keep: keep, quit: make(chan struct{})}
}

func (p *ttyProgress) report(r model.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return
	}
	if r.Note != "" {
		p.replace(nil)
		fmt.Fprintln(p.w, note(r.Note))
		return
	}
	if p.began.IsZero() {
		p.began = p.now()
		p.drawer.Go(p.draw)
	}
	p.view.apply(r, p.now())
}

// draw redraws until finish.
func (p *ttyProgress) draw() {
	tick := time.NewTicker(frameEvery)
	defer tick.Stop()
	for {
		select {
		case <-p.quit:
			return
		case <-tick.C:
			p.frame()
		}
	}
}

func (p *ttyProgress) frame() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.now(); !p.over && now.Sub(p.began) >= firstFrame {
		p.replace(p.view.live(now, p.width()-1))
	}
}

// replace puts lines where the last frame was, in one write.
func (p *ttyProgress) replace(lines []string) {
	if p.drawn == 0 && len(lines) == 0 {
		return
	}
	var b strings.Builder
	if p.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", p.drawn)
	}
	b.WriteString("\r\x1b[J")
	for _, line := range lines {
		b.WriteString(line + "\n")
	}
	_, _ = io.WriteString(p.w, b.String())
	p.drawn = len(lines)
}

func (p *ttyProgress) finish() {
	p.mu.Lock()
	if p.over {
		p.mu.Unlock()
		return
	}
	p.over = true
	close(p.quit)
	var rest []string
	if p.keep && p.drawn > 0 {
		rest = p.view.summary(p.width() - 1)
	}
	p.replace(rest)
	p.mu.Unlock()
	p.drawer.Wait()
}
