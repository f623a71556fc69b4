package model_test

import (
	"testing"
	"time"

	"banger/internal/model"
)

func TestVMFilter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	vm := model.VMSummary{
		ID: "5eed01", Name: "web-1", State: model.VMRunning, ImageID: "cafe", Image: "debian",
		Labels: map[string]string{"team": "a", "ci": ""}, CreatedAt: now.Add(-2 * time.Hour),
	}
	for name, tc := range map[string]struct {
		conditions []string
		want       bool
	}{
		"none":                        {nil, true},
		"state":                       {[]string{"state=running"}, true},
		"another state":               {[]string{"state=stopped"}, false},
		"one of two states":           {[]string{"state=stopped", "state=running"}, true},
		"two keys":                    {[]string{"state=running", "image=debian"}, true},
		"two keys, one is wrong":      {[]string{"state=running", "image=alpine"}, false},
		"label":                       {[]string{"label=team"}, true},
		"label and value":             {[]string{"label=team=a"}, true},
		"label and another value":     {[]string{"label=team=b"}, false},
		"label and empty value":       {[]string{"label=ci="}, true},
		"both labels":                 {[]string{"label=team", "label=ci"}, true},
		"both labels, one is missing": {[]string{"label=team", "label=x"}, false},
		"pattern":                     {[]string{"name=web-*"}, true},
		"pattern of another":          {[]string{"name=db-?"}, false},
		"id":                          {[]string{"id=5eed"}, true},
		"id of the image":             {[]string{"image=caf"}, true},
		"older":                       {[]string{"until=1h"}, true},
		"not that old":                {[]string{"until=3h"}, false},
		"before a day":                {[]string{"until=2026-03-02"}, true},
	} {
		filter, err := model.ParseVMFilter(tc.conditions, now)
		if err != nil || filter.Match(vm) != tc.want {
			t.Errorf("%s: %v, %v", name, filter.Match(vm), err)
		}
	}
	for _, bad := range []string{"", "state", "=x", "state=", "state=here", "colour=red", "name=[", "until=soon", "until=-5s"} {
		if _, err := model.ParseVMFilter([]string{bad}, now); model.CodeOf(err) != model.CodeInvalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestEventFilter(t *testing.T) {
	t.Parallel()
	e := model.Event{Noun: model.EventVM, ID: "5eed", Name: "web", Action: "running"}
	for condition, want := range map[string]bool{
		"noun=vm": true, "noun=operation": false, "name=w*": true, "id=5e": true, "id=6": false,
		"action=running": true, "action=stopped": false, "kind=vm.start": false,
	} {
		if f, err := model.ParseEventFilter([]string{condition}); err != nil || f.Match(e) != want {
			t.Errorf("%s: %v", condition, err)
		}
	}
	for _, bad := range []string{"noun", "x=1", "name=["} {
		if _, err := model.ParseEventFilter([]string{bad}); model.CodeOf(err) != model.CodeInvalid {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
