package dockerfile

import (
	"slices"
	"strconv"
	"strings"

	"banger/internal/model"
)

// stage returns the index of a stage before the stage at limit, by name or
// number; -1 when there is none.
func (f *File) stage(name string, limit int) int {
	for i := range limit {
		if f.Stages[i].Name != "" && f.Stages[i].Name == strings.ToLower(name) {
			return i
		}
	}
	if n, err := strconv.Atoi(name); err == nil && n >= 0 && n < limit {
		return n
	}
	return -1
}

// StageBefore returns the stage that a FROM or a --from in stage at means;
// false when it is an image's name.
func (f *File) StageBefore(name string, at int) (int, bool) {
	i := f.stage(name, at)
	return i, i >= 0
}

// Plan returns the stages that target needs in the order to build them, the
// target last; "" is the last stage. A FROM is expanded with lookup.
func (f *File) Plan(target string, lookup Lookup) ([]int, error) {
	last := len(f.Stages) - 1
	if target != "" {
		if last = f.stage(target, len(f.Stages)); last < 0 {
			return nil, model.Errorf(model.CodeNotFound, "the Dockerfile has no stage %q", target).WithHint("stages are named with FROM IMAGE AS NAME")
		}
	}
	need := map[int]bool{}
	if err := f.require(last, lookup, need); err != nil {
		return nil, err
	}
	order := []int{}
	for i := range need {
		order = append(order, i)
	}
	slices.Sort(order) // a stage needs only earlier ones
	return order, nil
}

// require marks a stage and all that it is made of.
func (f *File) require(at int, lookup Lookup, need map[int]bool) error {
	if need[at] {
		return nil
	}
	need[at] = true
	st := f.Stages[at]
	base, err := Expand(st.Base, f.Escape, lookup)
	if err != nil {
		return fail(st.From.Line, "%w", err)
	}
	if i, found := f.StageBefore(base, at); found {
		if err := f.require(i, lookup, need); err != nil {
			return err
		}
	}
	for _, in := range st.Instructions {
		if i, found := f.StageBefore(in.Flag("from"), at); found && in.Name == "COPY" {
			if err := f.require(i, lookup, need); err != nil {
				return err
			}
		}
	}
	return nil
}
