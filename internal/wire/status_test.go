package wire_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"banger/internal/wire"
)

func TestStatusOfAHostileAgent(t *testing.T) {
	t.Parallel()
	good := wire.Status{Interfaces: []wire.Interface{{Name: "eth\x1b"}}}
	if err := good.Validate(); err != nil || strings.Contains(good.Interfaces[0].Name, "\x1b") {
		t.Errorf("%v, %q", err, good.Interfaces[0].Name)
	}
	for name, s := range map[string]wire.Status{
		"load":            {Load: [3]float64{0, math.NaN(), 0}},
		"endless uptime":  {UptimeSeconds: math.Inf(1)},
		"negative uptime": {UptimeSeconds: -1},
		"negative memory": {MemoryAvailable: -1},
		"long name":       {Interfaces: []wire.Interface{{Name: strings.Repeat("x", 16)}}},
		"many interfaces": {Interfaces: make([]wire.Interface, wire.MaxInterfaces+1)},
	} {
		if err := s.Validate(); !errors.Is(err, wire.ErrViolation) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPortsOfAHostileAgent(t *testing.T) {
	t.Parallel()
	good := []wire.Port{{Address: "::", Port: 80, PID: 1, Process: "a\x1b[2J"}, {Address: "10.0.0.1", Port: 65535}}
	if err := wire.ValidatePorts(good); err != nil || strings.Contains(good[0].Process, "\x1b") {
		t.Errorf("%v, %+v", err, good)
	}
	for name, ports := range map[string][]wire.Port{
		"no address":     {{Port: 80}},
		"a name":         {{Address: "localhost", Port: 80}},
		"no port":        {{Address: "::"}},
		"a zone":         {{Address: "fe80::1%\x1b", Port: 80}},
		"a long process": {{Address: "::", Port: 80, Process: "sixteen-bytes-it"}},
		"no process":     {{Address: "::", Port: 80, PID: -1}},
		"too many":       make([]wire.Port, wire.MaxPorts+1),
	} {
		if err := wire.ValidatePorts(ports); !errors.Is(err, wire.ErrViolation) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
