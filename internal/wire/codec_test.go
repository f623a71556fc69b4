package wire_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"banger/internal/model"
	"banger/internal/wire"

	"github.com/google/go-cmp/cmp"
)

func TestMessages(t *testing.T) {
	t.Parallel()
	in := wire.Open{Kind: wire.KindExec, Exec: &wire.ExecRequest{
		Argv: []string{"sh", "-c", "é\n\x7f"}, Env: []string{"A=b"}, WorkingDir: "/w", MakeWorkingDir: true,
		User: "u:g", TTY: true, Size: &model.WinSize{Rows: 1, Cols: 2}, Stdin: true, Detach: true,
	}}
	var b bytes.Buffer
	if err := wire.WriteMessage(&b, &in); err != nil {
		t.Fatal(err)
	}
	var out wire.Open
	if err := wire.ReadMessage(&b, &out); err != nil || b.Len() != 0 {
		t.Fatalf("%v, %d bytes left", err, b.Len())
	}
	if diff := cmp.Diff(in, out); diff != "" {
		t.Error(diff)
	}
	long := wire.Open{Kind: wire.Kind(strings.Repeat("k", wire.MaxMessage))}
	if err := wire.WriteMessage(&b, &long); err == nil || b.Len() != 0 {
		t.Errorf("too long a message: %v, %d bytes written", err, b.Len())
	}
}

func TestHostileMessages(t *testing.T) {
	t.Parallel()
	message := func(body string) string {
		return string(binary.BigEndian.AppendUint32(nil, uint32(len(body)))) + body
	}
	for name, tc := range map[string]struct {
		in   string
		want error
	}{
		"nothing":        {"", io.EOF},
		"half a length":  {"\x00\x00", io.ErrUnexpectedEOF},
		"half a body":    {"\x00\x00\x00\x09{}", io.ErrUnexpectedEOF},
		"huge":           {"\xff\xff\xff\xff", wire.ErrViolation},
		"one too many":   {"\x00\x10\x00\x01" + strings.Repeat(" ", wire.MaxMessage+1), wire.ErrViolation},
		"empty":          {message(""), wire.ErrViolation},
		"not JSON":       {message("hello"), wire.ErrViolation},
		"other type":     {message(`{"kind":1}`), wire.ErrViolation},
		"unknown field":  {message(`{"kind":"exec","more":1}`), wire.ErrViolation},
		"unknown inside": {message(`{"exec":{"argv":["x"],"caps":1}}`), wire.ErrViolation},
		"two values":     {message(`{}{}`), wire.ErrViolation},
		"rest":           {message(`{} x`), wire.ErrViolation},
		"deep":           {message(`{"exec":` + strings.Repeat("[", 100000)), wire.ErrViolation},
	} {
		var v wire.Open
		if err := wire.ReadMessage(strings.NewReader(tc.in), &v); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		}
	}
}

func TestFrames(t *testing.T) {
	t.Parallel()
	big := wire.NewFrameBuffer()
	n := copy(big.Room(), strings.Repeat("x", wire.MaxPayload))
	for name, tc := range map[string]struct {
		from    wire.Direction
		frame   []byte
		kind    wire.FrameType
		payload string
	}{
		"stdin":  {wire.FromHost, wire.Frame(wire.FrameStdin, []byte("in")), wire.FrameStdin, "in"},
		"close":  {wire.FromHost, wire.Frame(wire.FrameStdinClose, nil), wire.FrameStdinClose, ""},
		"resize": {wire.FromHost, wire.ResizeFrame(model.WinSize{Rows: 258, Cols: 3}), wire.FrameResize, "\x01\x02\x00\x03"},
		"signal": {wire.FromHost, wire.SignalFrame("TERM"), wire.FrameSignal, "TERM"},
		"stdout": {wire.FromAgent, big.Frame(wire.FrameStdout, n), wire.FrameStdout, strings.Repeat("x", n)},
		"largest": {wire.FromAgent, wire.Frame(wire.FrameStderr, make([]byte, wire.MaxPayload)), wire.FrameStderr,
			string(make([]byte, wire.MaxPayload))},
		"credit": {wire.FromAgent, wire.CreditFrame(65536), wire.FrameCredit, "\x00\x01\x00\x00"},
		"exit":   {wire.FromAgent, wire.ExitFrame(model.ExitStatus{Code: 3}), wire.FrameExit, `{"code":3}`},
		"error":  {wire.FromAgent, wire.ErrorFrame(errors.New("no")), wire.FrameError, `{"code":"internal","message":"no"}`},
	} {
		r := wire.NewFrameReader(bytes.NewReader(tc.frame), tc.from)
		kind, payload, err := r.Next()
		if kind != tc.kind || string(payload) != tc.payload || err != nil {
			t.Errorf("%s: type %d, %.20q, %v", name, kind, payload, err)
		}
		if _, _, err := r.Next(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: then %v", name, err)
		}
		r = wire.NewFrameReader(bytes.NewReader(tc.frame), 1-tc.from)
		if _, _, err := r.Next(); !errors.Is(err, wire.ErrViolation) {
			t.Errorf("%s from the other side: %v", name, err)
		}
		r = wire.NewFrameReader(bytes.NewReader(tc.frame[:len(tc.frame)-1]), tc.from)
		if _, _, err := r.Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s, cut: %v", name, err)
		}
	}
}

func TestHostileFrames(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		from wire.Direction
		in   string
	}{
		"type 0":        {wire.FromHost, "\x00\x00\x00\x00\x01x"},
		"type 0, agent": {wire.FromAgent, "\x00\x00\x00\x00\x01x"},
		"type 10":       {wire.FromAgent, "\x0a\x00\x00\x00\x01x"},
		"type 255":      {wire.FromAgent, "\xff\x00\x00\x00\x01x"},
		"huge":          {wire.FromAgent, "\x05\xff\xff\xff\xff"},
		"one too many":  {wire.FromAgent, "\x05\x00\x01\x00\x01"},
		"empty output":  {wire.FromAgent, "\x05\x00\x00\x00\x00"},
		"full close":    {wire.FromHost, "\x02\x00\x00\x00\x01x"},
		"short resize":  {wire.FromHost, "\x03\x00\x00\x00\x03xxx"},
		"long credit":   {wire.FromAgent, "\x07\x00\x00\x00\x05xxxxx"},
		"no signal":     {wire.FromHost, "\x04\x00\x00\x00\x00"},
		"long signal":   {wire.FromHost, "\x04\x00\x00\x00\x11"},
		"long exit":     {wire.FromAgent, "\x08\x00\x00\x20\x01"},
	} {
		r := wire.NewFrameReader(strings.NewReader(tc.in), tc.from)
		if _, _, err := r.Next(); !errors.Is(err, wire.ErrViolation) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, in := range []string{"", "{", `{"code":256}`, `{"code":-1}`, `{"code":1.5}`, `{"code":1,"pid":2}`, `{"signal":"SIGSIGSIGSIGSIGSIG"}`} {
		if s, err := wire.ParseExit([]byte(in)); !errors.Is(err, wire.ErrViolation) {
			t.Errorf("exit %q: %+v, %v", in, s, err)
		}
	}
	if _, err := wire.ParseCredit([]byte{0, 4, 0, 1}); !errors.Is(err, wire.ErrViolation) {
		t.Errorf("credit beyond the window: %v", err)
	}
	if _, err := wire.ParseError([]byte("null x")); !errors.Is(err, wire.ErrViolation) {
		t.Errorf("error frame: %v", err)
	}
}

// TestTexts: what a guest says is bounded, printable, and of no authority.
func TestTexts(t *testing.T) {
	t.Parallel()
	nasty := strings.Repeat("\x1b<\"\xff", wire.MaxText)
	for name, frame := range map[string][]byte{
		"exit":  wire.ExitFrame(model.ExitStatus{Err: nasty}),
		"error": wire.ErrorFrame(errors.New(nasty)),
	} {
		_, payload, err := wire.NewFrameReader(bytes.NewReader(frame), wire.FromAgent).Next()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if name == "exit" {
			s, err := wire.ParseExit(payload)
			if err != nil || !strings.HasPrefix(s.Err, `\x1b<"`) {
				t.Errorf("exit: %.20q, %v", s.Err, err)
			}
			continue
		}
		f, err := wire.ParseError(payload)
		if err != nil || !strings.HasPrefix(f.Err().Error(), `guest: \x1b<"`) {
			t.Errorf("error: %.40q, %v", f.Err(), err)
		}
	}
	for code, want := range map[model.Code]model.Code{
		model.CodeConflict: model.CodeConflict, model.CodeUnauthorized: model.CodeInternal, "made up": model.CodeInternal, "": model.CodeInternal,
	} {
		if got := model.CodeOf((&wire.Fault{Code: code}).Err()); got != want {
			t.Errorf("fault of code %q: %q, want %q", code, got, want)
		}
	}
}

func TestValidHello(t *testing.T) {
	t.Parallel()
	h := wire.Hello{AgentVersion: "v\x1b", Kernel: "6.1", Marks: []wire.Mark{{Name: "a\n"}}}
	if err := h.Validate(); err != nil || h.AgentVersion != `v\x1b` || h.Marks[0].Name != `a\x0a` {
		t.Errorf("%+v, %v", h, err)
	}
	for name, h := range map[string]wire.Hello{
		"long text":  {Kernel: strings.Repeat("k", 257)},
		"long mark":  {Marks: []wire.Mark{{Name: strings.Repeat("k", 257)}}},
		"many marks": {Marks: make([]wire.Mark, 65)},
	} {
		if err := h.Validate(); !errors.Is(err, wire.ErrViolation) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestValidConfig(t *testing.T) {
	t.Parallel()
	valid := func() wire.Config {
		return wire.Config{
			Hostname: "web-1.example", Entropy: make([]byte, 64), Root: wire.RootFS{Device: "/dev/vda", FSType: "ext4"},
			Network: &wire.Network{MAC: "52:54:00:12:34:56", Address: "10.0.2.15/24", Gateway: "10.0.2.2", DNS: []string{"10.0.2.3", "fec0::3"}, MTU: 1500},
		}
	}
	for name, tc := range map[string]struct {
		change func(*wire.Config)
		ok     bool
	}{
		"valid":            {func(*wire.Config) {}, true},
		"no network":       {func(c *wire.Config) { c.Network = nil }, true},
		"IPv6":             {func(c *wire.Config) { c.Network.Address = "fec0::15/64" }, true},
		"no gateway":       {func(c *wire.Config) { c.Network.Gateway, c.Network.MAC, c.Network.DNS, c.Network.MTU = "", "", nil, 0 }, true},
		"no name":          {func(c *wire.Config) { c.Hostname = "" }, false},
		"long name":        {func(c *wire.Config) { c.Hostname = strings.Repeat("h", 65) }, false},
		"name with a line": {func(c *wire.Config) { c.Hostname = "a\n10.0.0.1 b" }, false},
		"name as option":   {func(c *wire.Config) { c.Hostname = "-a" }, false},
		"time":             {func(c *wire.Config) { c.Time = -1 }, false},
		"entropy":          {func(c *wire.Config) { c.Entropy = make([]byte, 513) }, false},
		"device":           {func(c *wire.Config) { c.Root.Device = "/dev/../etc/passwd" }, false},
		"no device":        {func(c *wire.Config) { c.Root.Device = "/dev/" }, false},
		"filesystem":       {func(c *wire.Config) { c.Root.FSType = "9p" }, false},
		"address":          {func(c *wire.Config) { c.Network.Address = "10.0.2.15" }, false},
		"gateway":          {func(c *wire.Config) { c.Network.Gateway = "gw" }, false},
		"server":           {func(c *wire.Config) { c.Network.DNS = []string{"10.0.2.3\nsearch x"} }, false},
		"many servers":     {func(c *wire.Config) { c.Network.DNS = make([]string, 9) }, false},
		"MAC":              {func(c *wire.Config) { c.Network.MAC = "52:54" }, false},
		"MTU":              {func(c *wire.Config) { c.Network.MTU = 100 }, false},
	} {
		c := valid()
		tc.change(&c)
		if err := c.Validate(); (err == nil) != tc.ok || err != nil && model.CodeOf(err) != model.CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	for ms, want := range map[int64]time.Duration{-5: 0, 1500: 1500 * time.Millisecond, 1 << 62: time.Hour} {
		if got := (&wire.Shutdown{GraceMillis: ms}).Grace(); got != want {
			t.Errorf("grace of %d ms: %v, want %v", ms, got, want)
		}
	}
}

func FuzzReadMessage(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x11{\"kind\":\"control\"}"))
	f.Add([]byte("\x00\x10\x00\x00{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var first wire.Open
		if wire.ReadMessage(bytes.NewReader(b), &first) != nil {
			return
		}
		var again bytes.Buffer
		if err := wire.WriteMessage(&again, &first); err != nil {
			t.Skip("grows beyond the limit when written with escapes")
		}
		var second wire.Open
		if err := wire.ReadMessage(&again, &second); err != nil {
			t.Errorf("%q: %v", b, err)
		}
	})
}

func FuzzFrames(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00\x02in\x02\x00\x00\x00\x00"), true)
	f.Add(append(wire.CreditFrame(9), wire.ExitFrame(model.ExitStatus{Code: 1})...), false)
	f.Fuzz(func(t *testing.T, b []byte, host bool) {
		from := wire.FromAgent
		if host {
			from = wire.FromHost
		}
		r := wire.NewFrameReader(bytes.NewReader(b), from)
		for seen := 0; ; {
			kind, payload, err := r.Next()
			if err != nil {
				return
			}
			if frame := wire.Frame(kind, payload); !bytes.Equal(frame, b[seen:seen+len(frame)]) {
				t.Fatalf("frame %q read from %q", frame, b[seen:])
			} else {
				seen += len(frame)
			}
			switch kind {
			case wire.FrameResize:
				wire.ParseResize(payload)
			case wire.FrameCredit:
				_, _ = wire.ParseCredit(payload)
			case wire.FrameExit:
				_, _ = wire.ParseExit(payload)
			case wire.FrameError:
				_, _ = wire.ParseError(payload)
			}
		}
	})
}
