package main

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30
	tib = 1 << 40

	maxSize = 1 << 60 // bytes; more is a typing error
)

// parseSize reads a size such as 512M, 1G, 1.5GiB or 2gb in bytes. Units are
// powers of 1024, as docker's are. A bare number is refused: docker means
// bytes by it, most people mean MiB.
func parseSize(s string) (int64, error) {
	number := strings.TrimRight(s, "BKMGTbkmgti")
	value, err := strconv.ParseFloat(number, 64)
	if err != nil || !regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`).MatchString(number) {
		return 0, fmt.Errorf("not a size: say 512M, 1G or 1.5GiB")
	}
	unit, ok := sizeUnit(strings.ToLower(s[len(number):]))
	switch bytes := value * float64(unit); {
	case s == number:
		return 0, fmt.Errorf("the unit is missing: say %sM or %sG", number, number)
	case !ok:
		return 0, fmt.Errorf("unknown unit %q: K, M, G and T are known", s[len(number):])
	case bytes < 1:
		return 0, fmt.Errorf("must be more than 0")
	case bytes > maxSize:
		return 0, fmt.Errorf("is more than 1 EiB")
	default:
		return int64(math.Round(bytes)), nil
	}
}

func sizeUnit(name string) (int64, bool) {
	switch strings.TrimSuffix(strings.TrimSuffix(name, "b"), "i") {
	case "k":
		return kib, true
	case "m":
		return mib, true
	case "g":
		return gib, true
	case "t":
		return tib, true
	default:
		return 1, name == "b"
	}
}

// formatSize prints bytes with at most one decimal: 512MiB, 1.5GiB.
func formatSize(n int64) string {
	switch {
	case n >= tib:
		return scaled(n, tib, "TiB")
	case n >= gib:
		return scaled(n, gib, "GiB")
	case n >= mib:
		return scaled(n, mib, "MiB")
	case n >= kib:
		return scaled(n, kib, "KiB")
	default:
		return fmt.Sprintf("%dB", n)
	}
}

func scaled(n, unit int64, name string) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", float64(n)/float64(unit)), ".0") + name
}

// formatAge prints how long ago t was: "3 minutes ago", "-" for no time.
func formatAge(now, t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	const day = 24 * time.Hour
	age := now.Sub(t)
	switch {
	case age < time.Second:
		return "now"
	case age < time.Minute:
		return count(age, time.Second, "second")
	case age < time.Hour:
		return count(age, time.Minute, "minute")
	case age < day:
		return count(age, time.Hour, "hour")
	case age < 14*day:
		return count(age, day, "day")
	case age < 60*day:
		return count(age, 7*day, "week")
	case age < 730*day:
		return count(age, 30*day, "month")
	default:
		return count(age, 365*day, "year")
	}
}

func count(age, unit time.Duration, name string) string {
	n := int(age / unit)
	if n != 1 {
		name += "s"
	}
	return fmt.Sprintf("%d %s ago", n, name)
}

// formatMillis prints a duration for people: 12ms, 3.1s, 2m05s.
func formatMillis(ms int64) string {
	switch {
	case ms < 100:
		return fmt.Sprintf("%dms", ms)
	case ms < 60_000:
		return fmt.Sprintf("%.1fs", float64(ms)/1000)
	default:
		return fmt.Sprintf("%dm%02ds", ms/60_000, ms/1000%60)
	}
}

// formatTime prints t in UTC, "" for no time.
func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
