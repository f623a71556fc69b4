package image

import (
	"context"
	"io"
	"log/slog"
	"time"

	"github.com/google/go-containerregistry/pkg/name"

	"banger/internal/builder"
	"banger/internal/imagepull"
	"banger/internal/imagepush"
	"banger/internal/model"
	"banger/internal/operation"
	"banger/internal/rpc"
)

var _ rpc.ImageAPI = (*Service)(nil)

// Store keeps the rows of images.
type Store interface {
	// InsertImage refuses a name that is taken with model.CodeConflict.
	InsertImage(ctx context.Context, img model.Image) error
	// ReplaceImage is InsertImage of img, whose name aside has had; aside has
	// its new name then. Both are done, or neither.
	ReplaceImage(ctx context.Context, img, aside model.Image) error
	// Image finds by name, id or unique prefix of the id; else model.CodeNotFound.
	Image(ctx context.Context, nameOrID string) (model.Image, error)
	Images(ctx context.Context) ([]model.Image, error)
	UpdateImage(ctx context.Context, img model.Image) error
	DeleteImage(ctx context.Context, id string) error
}

// Puller turns references into root filesystems; imagepull.Puller does.
type Puller interface {
	Resolve(ctx context.Context, ref imagepull.Ref, platform string, report model.Report) (*imagepull.Image, error)
	ResolveStream(ctx context.Context, ref imagepull.Ref, in io.Reader, platform string, report model.Report) (*imagepull.Image, error)
	ResolveCached(ctx context.Context, digest, platform string) (*imagepull.Image, error)
	BuildExt4(ctx context.Context, img *imagepull.Image, path string, opt imagepull.BuildOptions, report model.Report) (imagepull.Built, error)
}

// Cache keeps what pulls have fetched; imagepull.Cache does.
type Cache interface {
	List() ([]model.CachedBlob, error)
	Prune(ctx context.Context, keepBytes int64) ([]model.CachedBlob, error)
	Verify(ctx context.Context, report model.Report) ([]model.CachedBlob, error)
	// Check reads a blob that is in the cache; an error says that it is damaged.
	Check(ctx context.Context, digest string) (present bool, err error)
	// Sweep removes temporary files of daemons that were killed.
	Sweep(ctx context.Context) error
	imagepush.Blobs
}

// Registry takes images; imagepush.Registry does.
type Registry interface {
	Push(ctx context.Context, tag name.Tag, img *imagepush.Image, report model.Report) error
}

// Kernels has the kernels of the catalog.
type Kernels interface {
	// EnsureKernel returns the kernel of that name, which is pulled when it
	// is not here.
	EnsureKernel(ctx context.Context, name string, report model.Report) (model.Kernel, error)
}

// Config is what a Service is made of. Log, Now and Version have defaults.
type Config struct {
	Dir        string // holds one directory per image: model.Paths.Images
	Steps      string // holds the cache of builds' steps, a file a step
	Store      Store
	Operations *operation.Service
	Puller     Puller
	Cache      Cache
	Registry   Registry
	Kernels    Kernels
	Machines   Machines       // run builds
	Builders   builder.Finder // of engines that build Dockerfiles
	// Users returns the names of the VMs that use an image.
	Users func(ctx context.Context, imageID string) ([]string, error)

	Version string           // of banger, for the record of where images come from
	Log     *slog.Logger     // default: discards
	Now     func() time.Time // default time.Now
	// UsedWait is how long deleting an image waits for operations that use it;
	// default 2 s.
	UsedWait time.Duration
}

// Service implements rpc.ImageAPI.
type Service struct{ cfg Config }

// New returns a Service. Recover is to be called before the first operation.
func New(cfg Config) *Service {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.UsedWait == 0 {
		cfg.UsedWait = 2 * time.Second
	}
	return &Service{cfg: cfg}
}

// LockKey is the key of operation.Service.Lock and Share that guards an image
// against being deleted: whoever makes a VM of it shares it until the VM has
// its row, a build until it is done.
func LockKey(imageID string) string { return "image/" + imageID }
