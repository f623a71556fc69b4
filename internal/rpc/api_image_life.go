package rpc

import (
	"context"
	"io"

	"banger/internal/model"
)

// ImageLifeAPI is what becomes of images beside being pulled and deleted.
type ImageLifeAPI interface {
	// RegisterImage makes an image of a root filesystem that stays where it
	// is. It must be clean and must not change while the image is there.
	RegisterImage(ctx context.Context, p ImageRegisterParams, report model.Report) (model.Image, error)
	// PromoteImage makes a registered image a managed one: its files are
	// copied. It refuses while a VM uses the image.
	PromoteImage(ctx context.Context, p NameParams, report model.Report) (model.Image, error)
	// TagImage gives an image a second name: an image of its own, which shares
	// the files and outlives the first.
	TagImage(ctx context.Context, p ImageTagParams, report model.Report) (model.Image, error)
	// PruneImages deletes the managed images that no VM uses and returns them.
	PruneImages(ctx context.Context, p ImagePruneParams) ([]model.Image, error)
	// VerifyImages reads images and tells what is wrong with them; it changes
	// nothing.
	VerifyImages(ctx context.Context, p ImageVerifyParams, report model.Report) ([]model.ImageVerdict, error)
	// ExportImage writes an image as an archive to w.
	ExportImage(ctx context.Context, p ImageExportParams, w io.Writer) error
	// PushImage writes an image to a registry. Layers that were pulled are
	// sent as they came while the cache has them; else one is made from the
	// files.
	PushImage(ctx context.Context, p ImagePushParams, report model.Report) (model.PushedImage, error)
}

// ImageRegisterParams says what to register and what it boots with.
type ImageRegisterParams struct {
	Name       string `json:"name" maxLength:"63"`
	Rootfs     string `json:"rootfs" maxLength:"4096" doc:"absolute path of an ext4 image"`
	KernelRef  string `json:"kernel_ref,omitempty" maxLength:"63" doc:"kernel by catalog name; pulled when missing"`
	KernelPath string `json:"kernel_path,omitempty" maxLength:"4096"`
	InitrdPath string `json:"initrd_path,omitempty" maxLength:"4096"`
	ModulesDir string `json:"modules_dir,omitempty" maxLength:"4096"`
}

// ImageTagParams names an image and its second name.
type ImageTagParams struct {
	Name string `json:"name" maxLength:"256" doc:"name, id or unique prefix of the id"`
	New  string `json:"new" maxLength:"63"`
}

// ImagePruneParams says whether to do it.
type ImagePruneParams struct {
	DryRun bool `json:"dry_run,omitempty" doc:"only tell what would be deleted"`
}

// ImageVerifyParams names the images to check.
type ImageVerifyParams struct {
	Names []string `json:"names,omitempty" maxItems:"1024" doc:"empty: all"`
}

// ImageExportParams says what to export and how.
type ImageExportParams struct {
	Name   string `json:"name" maxLength:"256" doc:"name, id or unique prefix of the id"`
	Format string `json:"format" enum:"tar,oci,docker" doc:"tar: the files; oci: an OCI image layout; docker: what docker load reads"`
}

// ImagePushParams says what to push and where to.
type ImagePushParams struct {
	Name string `json:"name" maxLength:"256" doc:"name, id or unique prefix of the id"`
	Ref  string `json:"ref" maxLength:"4096" doc:"registry.example/name:tag"`
}
