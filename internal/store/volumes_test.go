package store_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"banger/internal/model"
	"banger/internal/store"
)

func volume(id, name string) model.Volume {
	return model.Volume{ID: id, Name: name, State: model.VolumeReady, SizeBytes: 1 << 30, CreatedAt: created, Users: []model.VolumeUser{}}
}

// mounting is a VM that mounts volumes to write, or with "ro:" to read.
func mounting(id, name string, volumes ...string) model.VM {
	v := vm(id, name, "")
	for _, volume := range volumes {
		m := model.VolumeMount{VolumeID: volume, Volume: "v" + volume, Path: "/" + volume}
		if len(volume) > 3 && volume[:3] == "ro:" {
			m.VolumeID, m.ReadOnly = volume[3:], true
		}
		v.Spec.Volumes = append(v.Spec.Volumes, m)
	}
	return v
}

func TestVolumesComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	must(t, s.InsertVolume(ctx, volume("01", "data")), s.InsertVolume(ctx, volume("02", "logs")))
	wantCode(t, s.InsertVolume(ctx, volume("03", "data")), model.CodeConflict, "taken")
	must(t, s.InsertVM(ctx, mounting("aa", "web", "01", "ro:02")))
	got, err := s.Volume(ctx, "logs")
	must(t, err)
	want := volume("02", "logs")
	want.Users = []model.VolumeUser{{VM: "web", ReadOnly: true}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	all, err := s.Volumes(ctx)
	must(t, err)
	if len(all) != 2 || all[0].Name != "data" || len(all[0].Users) != 1 {
		t.Errorf("volumes: %+v", all)
	}
	wantCode(t, s.DeleteVolume(ctx, "01"), model.CodeConflict, "used")
	wantCode(t, s.InsertVM(ctx, mounting("ab", "none", "09")), model.CodeNotFound, "v09")
	if _, err := s.VM(ctx, "none"); model.CodeOf(err) != model.CodeNotFound {
		t.Errorf("a VM of a volume that there is not was kept: %v", err)
	}
	must(t, s.DeleteVM(ctx, "aa"), s.DeleteVolume(ctx, "01"))
	wantCode(t, s.DeleteVolume(ctx, "01"), model.CodeNotFound, "")
}

// TestOneWriter: who writes has a volume alone, readers share it.
func TestOneWriter(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		first, second string // mounts of VMs aa and ab
		code          model.Code
	}{
		"two writers":         {"01", "01", model.CodeConflict},
		"a reader and writer": {"ro:01", "01", model.CodeConflict},
		"a writer and reader": {"01", "ro:01", model.CodeConflict},
		"two readers":         {"ro:01", "ro:01", ""},
		"two volumes":         {"01", "02", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, ctx := newStore(t), t.Context()
			must(t, s.InsertVolume(ctx, volume("01", "data")), s.InsertVolume(ctx, volume("02", "logs")),
				s.InsertVM(ctx, mounting("aa", "web", tc.first)), s.InsertVM(ctx, mounting("ab", "db", tc.second)))
			must(t, s.ClaimVolumes(ctx, "aa"), s.ClaimVolumes(ctx, "aa"))
			err := s.ClaimVolumes(ctx, "ab")
			if model.CodeOf(err) != tc.code {
				t.Errorf("claim: %v", err)
			}
			if tc.code != "" {
				wantCode(t, err, tc.code, `volume "data" is in use by VM web`)
				wantHeld(t, s, "data", "web")
			}
			must(t, s.ReleaseVolumes(ctx, "aa"), s.ClaimVolumes(ctx, "ab"))
		})
	}
}

// TestClaimIsAllOrNothing: a volume that is free is not held because another
// one is not.
func TestClaimIsAllOrNothing(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	must(t, s.InsertVolume(ctx, volume("01", "data")), s.InsertVolume(ctx, volume("02", "logs")),
		s.InsertVM(ctx, mounting("aa", "web", "02")), s.InsertVM(ctx, mounting("ab", "db", "01", "02")), s.ClaimVolumes(ctx, "aa"))
	wantCode(t, s.ClaimVolumes(ctx, "ab"), model.CodeConflict, "logs")
	wantHeld(t, s, "data")
	must(t, s.ReleaseIdleVolumes(ctx)) // no VM of these runs
	wantHeld(t, s, "logs")
}

func wantHeld(t *testing.T, s *store.Store, name string, want ...string) {
	t.Helper()
	v, err := s.Volume(t.Context(), name)
	must(t, err)
	var holders []string
	for _, u := range v.Users {
		if u.Held {
			holders = append(holders, u.VM)
		}
	}
	if diff := cmp.Diff(want, holders); diff != "" {
		t.Errorf("%s is held by: -want +got\n%s", name, diff)
	}
}
