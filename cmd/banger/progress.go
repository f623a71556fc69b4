package main

import (
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"banger/internal/model"
)

// progressMode is the value of --progress.
type progressMode string

const (
	progressAuto  progressMode = "auto" // tty on a terminal, else plain; none with --json
	progressPlain progressMode = "plain"
	progressTTY   progressMode = "tty"
	progressJSON  progressMode = "json"
)

// quickStage is how long a stage must take to be worth a line that nobody
// asked for: what is fast stays silent.
const quickStage = 250 * time.Millisecond

// progress shows the reports of one operation on standard error. report is
// safe for concurrent use; after finish it does nothing.
type progress interface {
	report(model.Progress)
	// finish ends the display: no line of it is written later.
	finish()
}

// newProgress picks the display. With keep the stages stay on the terminal
// when the operation is over; else they vanish.
func (a *app) newProgress(keep bool) progress {
	terminal := isTerminal(a.stderr)
	term, _ := a.lookupEnv("TERM")
	switch mode := a.flags.progress; {
	case a.flags.quiet:
		return silentProgress{}
	case mode == progressJSON:
		return &jsonProgress{enc: json.NewEncoder(a.stderr)}
	case mode == progressTTY:
		return newTTYProgress(a, keep)
	case mode == progressPlain:
		return &plainProgress{w: a.stderr}
	case a.flags.json:
		return silentProgress{}
	case terminal && term != "dumb":
		return newTTYProgress(a, keep)
	default:
		return &plainProgress{w: a.stderr, quick: quickStage}
	}
}

type silentProgress struct{}

func (silentProgress) report(model.Progress) {}
func (silentProgress) finish()               {}

// plainProgress prints a line as a stage ends, if it took quick or longer,
// and each note as it comes.
type plainProgress struct {
	mu    sync.Mutex
	w     io.Writer
	quick time.Duration
	over  bool
}

func (p *plainProgress) report(r model.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.over:
	case r.Note != "":
		fmt.Fprintln(p.w, note(r.Note))
	case r.Stage != "" && r.Done && time.Duration(r.Millis)*time.Millisecond >= p.quick:
		fmt.Fprintf(p.w, "%s %s\n", printable(r.Stage), formatMillis(r.Millis))
	}
}

func (p *plainProgress) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
}

// jsonProgress prints each report as one JSON line.
type jsonProgress struct {
	mu   sync.Mutex
	enc  *json.Encoder
	over bool
}

func (p *jsonProgress) report(r model.Progress) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.over {
		_ = p.enc.Encode(r)
	}
}

func (p *jsonProgress) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
}
