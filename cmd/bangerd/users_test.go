package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"banger/internal/model"
)

func TestUsersOf(t *testing.T) {
	t.Parallel()
	images := []model.Image{
		{ID: "1", Name: "plain"}, {ID: "2", Name: "named", Kernel: "tiny"},
		{ID: "3", Name: "own", Boot: model.BootFiles{Kernel: "/boot/vmlinuz"}},
	}
	vms := []model.VM{
		{Name: "a", ImageID: "1"},
		{Name: "b", ImageID: "1", Spec: model.VMSpec{Kernel: "tiny"}},
		{Name: "c", ImageID: "2"},
		{Name: "d", ImageID: "3"},
		{Name: "e", ImageID: "1", Spec: model.VMSpec{Kernel: "other"}, Runtime: model.VMRuntime{Kernel: "old"}},
	}
	for _, c := range []struct {
		kernel    string
		isDefault bool
		want      []string
	}{
		{"debian", true, []string{"VM a"}},
		{"debian", false, nil},
		{"tiny", false, []string{"image named", "VM b", "VM c"}},
		{"tiny", true, []string{"image named", "VM a", "VM b", "VM c"}},
		{"old", false, []string{"VM e"}},
	} {
		if diff := cmp.Diff(c.want, usersOf(c.kernel, c.isDefault, images, vms)); diff != "" {
			t.Errorf("%s, default %v: (-want +got)\n%s", c.kernel, c.isDefault, diff)
		}
	}
}
