package config

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes, written as 64GiB, 512K or a whole number.
type Size int64

// Count is a whole number above 0.
type Count int64

// Duration is a time above 0, written as 90s or 1m30s.
type Duration time.Duration

// Hosts are host names without a port.
type Hosts []string

var units = []struct {
	name  string
	bytes int64
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Size) UnmarshalText(text []byte) error {
	number := strings.TrimRight(string(text), "BKMGTbkmgti")
	unit := strings.ToUpper(string(text[len(number):]))
	factor := int64(1)
	if unit != "" && unit != "B" {
		factor = 0
		for _, u := range units {
			if name := strings.ToUpper(u.name); unit == name || unit == name[:1] || unit == name[:1]+"B" {
				factor = u.bytes
			}
		}
	}
	n, err := strconv.ParseInt(strings.ReplaceAll(number, "_", ""), 10, 64)
	if err != nil || factor == 0 || n <= 0 || n > math.MaxInt64/factor {
		return fmt.Errorf("%.40q is no size: say 64GiB, 512K or a number of bytes", text)
	}
	*s = Size(n * factor)
	return nil
}

func (s Size) String() string {
	for _, u := range units {
		if s != 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (c *Count) UnmarshalText(text []byte) error {
	n, err := strconv.ParseInt(strings.ReplaceAll(string(text), "_", ""), 10, 64)
	if err != nil || n <= 0 {
		return fmt.Errorf("%.40q is no whole number above 0", text)
	}
	*c = Count(n)
	return nil
}

func (c Count) String() string { return strconv.FormatInt(int64(c), 10) }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil || v <= 0 {
		return fmt.Errorf("%.40q is no time: say 90s or 1m30s", text)
	}
	*d = Duration(v)
	return nil
}

func (d Duration) String() string { return time.Duration(d).String() }

var hostRE = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)

// UnmarshalText implements encoding.TextUnmarshaler: names with commas between
// them, as the environment has them.
func (h *Hosts) UnmarshalText(text []byte) error {
	*h = nil
	for name := range strings.SplitSeq(string(text), ",") {
		if name = strings.ToLower(strings.TrimSpace(name)); name != "" {
			*h = append(*h, name)
		}
	}
	return h.check()
}

func (h Hosts) check() error {
	for _, name := range h {
		if !hostRE.MatchString(name) {
			return fmt.Errorf("%.100q is no host name", name)
		}
	}
	return nil
}

func (h Hosts) String() string { return strings.Join(h, ",") }
