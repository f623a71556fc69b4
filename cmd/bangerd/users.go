package main

import (
	"context"

	"banger/internal/model"
	"banger/internal/store"
)

// kernelUsers returns a function that names the images and VMs that need a
// kernel: those that ask for it by name, those that run it, and for the
// default one the VMs that ask for none.
func kernelUsers(db *store.Store) func(context.Context, string, bool) ([]string, error) {
	return func(ctx context.Context, kernel string, isDefault bool) ([]string, error) {
		images, err := db.Images(ctx)
		if err != nil {
			return nil, err
		}
		vms, err := db.VMs(ctx)
		if err != nil {
			return nil, err
		}
		return usersOf(kernel, isDefault, images, vms), nil
	}
}

// usersOf is kernelUsers of these images and VMs.
func usersOf(kernel string, isDefault bool, images []model.Image, vms []model.VM) []string {
	var users []string
	byID := map[string]model.Image{}
	for _, img := range images {
		byID[img.ID] = img
		if img.Kernel == kernel {
			users = append(users, "image "+img.Name)
		}
	}
	for _, v := range vms {
		asks := v.Spec.Kernel
		own := asks == "" && byID[v.ImageID].Boot.Kernel != "" // boots its image's files
		if asks == "" {
			asks = byID[v.ImageID].Kernel
		}
		fallsBack := v.FallbackKernel != nil && *v.FallbackKernel == kernel
		if asks == kernel || fallsBack || v.Runtime.Kernel == kernel || isDefault && asks == "" && !own {
			users = append(users, "VM "+v.Name)
		}
	}
	return users
}
