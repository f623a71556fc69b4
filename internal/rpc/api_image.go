package rpc

import (
	"context"
	"io"

	"banger/internal/model"
)

// ImageAPI makes and keeps images.
type ImageAPI interface {
	ImageTreeAPI
	ImageLifeAPI
	ImageBuildAPI
	// PullImage makes Ref a managed image. A name that is taken is refused
	// before any download.
	PullImage(ctx context.Context, p ImagePullParams, report model.Report) (model.Image, error)
	// ImportImage is PullImage for a reference to standard input ("-",
	// "tar:-"), which in is. One Read of in may be under way after it returns.
	ImportImage(ctx context.Context, p ImagePullParams, in io.Reader, report model.Report) (model.Image, error)
	ListImages(ctx context.Context) ([]model.Image, error)
	ShowImage(ctx context.Context, p NameParams) (model.Image, error)
	// DeleteImage refuses while a VM uses the image, naming the VMs.
	DeleteImage(ctx context.Context, p NameParams) (model.Image, error)
	// ListImageCache returns what pulls have kept, the one used last first.
	ListImageCache(ctx context.Context) ([]model.CachedBlob, error)
	// PruneImageCache removes the longest unused blobs and returns them; none
	// that a pull uses.
	PruneImageCache(ctx context.Context, p ImageCachePruneParams) ([]model.CachedBlob, error)
	// VerifyImageCache reads all blobs, and removes and returns damaged ones.
	VerifyImageCache(ctx context.Context, report model.Report) ([]model.CachedBlob, error)
}

// ImagePullParams says what to pull, how to call it and what it boots with.
type ImagePullParams struct {
	Ref        string `json:"ref" maxLength:"4096" doc:"OCI reference, or the name of a catalog image"`
	Name       string `json:"name,omitempty" maxLength:"63" doc:"default: derived from ref"`
	KernelRef  string `json:"kernel_ref,omitempty" maxLength:"63" doc:"kernel by catalog name; pulled when missing"`
	KernelPath string `json:"kernel_path,omitempty" maxLength:"4096"`
	InitrdPath string `json:"initrd_path,omitempty" maxLength:"4096"`
	ModulesDir string `json:"modules_dir,omitempty" maxLength:"4096"`
	SizeBytes  int64  `json:"size_bytes,omitempty" minimum:"0" doc:"size of the filesystem; 0: max(tree x 1.25, 1 GiB)"`
	Platform   string `json:"platform,omitempty" maxLength:"64" doc:"os/arch[/variant]; default: linux and this host's"`
	VerifyKey  string `json:"verify_key,omitempty" maxLength:"16384" doc:"public key in PEM; the image must have a cosign signature of it"`
}

// ImageCachePruneParams says how much of the cache to keep.
type ImageCachePruneParams struct {
	KeepBytes int64 `json:"keep_bytes,omitempty" minimum:"0" doc:"of all blobs together; 0: nothing that no pull uses"`
}
