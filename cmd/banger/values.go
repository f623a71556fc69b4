package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// sizeValue is a flag that takes a size such as 1G; it holds bytes.
type sizeValue int64

func (v *sizeValue) Set(s string) error {
	n, err := parseSize(s)
	*v = sizeValue(n)
	return err
}

func (v *sizeValue) Type() string { return "size" }

func (v *sizeValue) String() string {
	if *v == 0 {
		return ""
	}
	return formatSize(int64(*v))
}

// countValue is a flag that takes a whole number from min to max.
type countValue struct {
	n        *int
	min, max int
	unit     string // how help calls the number
}

func (v countValue) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < v.min || n > v.max {
		return fmt.Errorf("must be a whole number from %d to %d", v.min, v.max)
	}
	*v.n = n
	return nil
}

func (v countValue) Type() string { return v.unit }

func (v countValue) String() string {
	if v.n == nil || *v.n <= 0 {
		return ""
	}
	return strconv.Itoa(*v.n)
}

// enumValue is a flag that takes one of a few words.
type enumValue[S ~string] struct {
	s       *S
	allowed []string
}

func (v enumValue[S]) Set(s string) error {
	if !slices.Contains(v.allowed, s) {
		return fmt.Errorf("must be %s", orList(v.allowed))
	}
	*v.s = S(s)
	return nil
}

func (v enumValue[S]) Type() string { return strings.Join(v.allowed, "|") }

func (v enumValue[S]) String() string {
	if v.s == nil {
		return ""
	}
	return string(*v.s)
}

// enumFlag adds a flag that takes one of the allowed words.
func enumFlag[S ~string](flags *pflag.FlagSet, s *S, name, usage string, allowed ...string) {
	flags.Var(enumValue[S]{s: s, allowed: allowed}, name, usage)
}

// orList joins words as a sentence does: "a", "a or b", "a, b or c".
func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
