package server

import (
	"context"
	"net/http"
	"reflect"
	"slices"

	"banger/internal/model"
	"banger/internal/rpc"
)

// route is one operation on the socket.
type route struct {
	verb    string // noun.verb: the path below /v1/
	method  string // of rpc.API
	summary string
	kind    routeKind
	params  reflect.Type
	result  reflect.Type // nil: a byte stream
	serve   func(s *Server, w http.ResponseWriter, r *http.Request)
}

// routeKind is how an operation answers.
type routeKind int

const (
	kindCall   routeKind = iota // JSON
	kindLong                    // JSON, or events with Accept: text/event-stream
	kindStream                  // bytes
	kindLines                   // one JSON value a line
	kindSocket                  // a WebSocket; the only kind that is a GET
)

// routes is the table of contents of the daemon.
func routes(api rpc.API) []route {
	return slices.Concat(
		systemRoutes(api), imageRoutes(api), kernelRoutes(api), vmRoutes(api), volumeRoutes(api), operationRoutes(api))
}

func systemRoutes(api rpc.API) []route {
	return []route{
		call("system.version", "Version", "What the daemon is and where it keeps its state", noParams(api.Version)),
		call("system.settings", "Settings", "What the daemon was started with", noParams(api.Settings)),
		call("system.shutdown", "Shutdown", "End the daemon; running VMs go on", noResult(api.Shutdown)),
		stream("system.events", "Events", "What has happened and happens, as JSON lines", api.Events),
		call("system.doctor", "Doctor", "Check what banger needs of this host", api.Doctor),
		call("system.check", "CheckState", "Compare rows, files and processes", api.CheckState),
		call("system.df", "DiskUsage", "What takes how much on disk", noParams(api.DiskUsage)),
	}
}

func imageRoutes(api rpc.API) []route {
	return []route{
		long("image.pull", "PullImage", "Make a managed image of an OCI image", api.PullImage),
		upload("image.import", "ImportImage", "Make a managed image of an archive that the client sends", api.ImportImage),
		call("image.list", "ListImages", "All images, oldest first", noParams(api.ListImages)),
		call("image.show", "ShowImage", "One image", api.ShowImage),
		call("image.delete", "DeleteImage", "Delete an image that no VM uses", api.DeleteImage),
		call("image.cacheList", "ListImageCache", "What pulls have kept", noParams(api.ListImageCache)),
		call("image.cachePrune", "PruneImageCache", "Remove blobs that no pull uses", api.PruneImageCache),
		long("image.cacheVerify", "VerifyImageCache", "Remove blobs that are damaged", noParamsLong(api.VerifyImageCache)),

		long("image.build", "BuildImage", "Make an image of what a script makes of another", api.BuildImage),
		long("image.dockerfile", "BuildDockerfile", "Make an image of what a Dockerfile says", api.BuildDockerfile),
		stream("image.log", "ImageLog", "What the build of an image has said", api.ImageLog),
		call("image.packages", "ImagePackages", "The packages that are installed in an image", api.ImagePackages),
		long("image.register", "RegisterImage", "Make an image of a root filesystem that stays where it is", api.RegisterImage),
		long("image.promote", "PromoteImage", "Make a registered image a managed one", api.PromoteImage),
		long("image.tag", "TagImage", "Give an image a second name", api.TagImage),
		call("image.prune", "PruneImages", "Delete the managed images that no VM uses", api.PruneImages),
		long("image.verify", "VerifyImages", "Tell what is wrong with images", api.VerifyImages),
		stream("image.export", "ExportImage", "An image as an archive", api.ExportImage),
		long("image.push", "PushImage", "Write an image to a registry", api.PushImage),
		lines("image.tree", "TreeImage", "The files of an image", api.TreeImage),
		lines("image.diff", "DiffImages", "In what the files of two images differ", api.DiffImages),
	}
}

func kernelRoutes(api rpc.API) []route {
	return []route{
		long("kernel.pull", "PullKernel", "Get a kernel of the catalog or of a registry", api.PullKernel),
		long("kernel.import", "ImportKernel", "Make a kernel of files or packages on this host", api.ImportKernel),
		call("kernel.list", "ListKernels", "The kernels that are on this host", noParams(api.ListKernels)),
		call("kernel.catalog", "ListCatalog", "The kernels that can be pulled", noParams(api.ListCatalog)),
		call("kernel.show", "ShowKernel", "One kernel", api.ShowKernel),
		call("kernel.options", "KernelOptions", "The build configuration of a kernel", api.KernelOptions),
		call("kernel.modules", "KernelModules", "The modules that a kernel can load", api.KernelModules),
		call("kernel.delete", "DeleteKernel", "Delete a kernel that nothing needs", api.DeleteKernel),
		long("kernel.build", "BuildKernel", "Build a kernel from source", api.BuildKernel),
		long("kernel.test", "TestKernel", "Boot a kernel and try what it can do", api.TestKernel),
		call("kernel.default", "DefaultKernel", "The default kernel, or another choice of it", api.DefaultKernel),
		long("kernel.push", "PushKernel", "Write a kernel to a registry", api.PushKernel),
		call("kernel.prune", "PruneKernels", "Delete the kernels that nothing needs", api.PruneKernels),
	}
}

func vmRoutes(api rpc.API) []route {
	return []route{
		long("vm.create", "CreateVM", "Make a VM, and start it when asked", api.CreateVM),
		long("vm.start", "StartVM", "Start a VM and wait for its agent", api.StartVM),
		long("vm.stop", "StopVM", "Let a VM power off; kill it after the grace", api.StopVM),
		call("vm.kill", "KillVM", "End a VM at once", api.KillVM),
		long("vm.restart", "RestartVM", "Stop a VM and start it again", api.RestartVM),
		long("vm.delete", "DeleteVM", "Delete a VM and its disks", api.DeleteVM),
		long("vm.commit", "CommitVM", "Make an image of the root disk of a VM that does not run", api.CommitVM),
		long("vm.reset", "ResetVM", "Make the root disk of a VM anew", api.ResetVM),
		long("vm.rebase", "RebaseVM", "Make the root disk of a VM anew from another image", api.RebaseVM),
		call("vm.list", "ListVMs", "All VMs, oldest first", noParams(api.ListVMs)),
		call("vm.summaries", "ListVMSummaries", "What a list shows of all VMs, oldest first", noParams(api.ListVMSummaries)),
		call("vm.show", "ShowVM", "One VM", api.ShowVM),
		call("vm.pause", "PauseVM", "Stop the processors of a VM", api.PauseVM),
		call("vm.resume", "ResumeVM", "Let a paused VM go on", api.ResumeVM),
		call("vm.rename", "RenameVM", "Give a VM another name", api.RenameVM),
		long("vm.set", "SetVM", "Change what a VM is made of", api.SetVM),
		long("vm.prune", "PruneVMs", "Delete the VMs that are stopped or failed", api.PruneVMs),
		call("vm.wait", "WaitVM", "Wait until a VM runs, stops or is paused", api.WaitVM),
		call("vm.stats", "StatsVMs", "What VMs use and how their guests do", api.StatsVMs),
		call("vm.health", "HealthVM", "Whether a VM's agent answers", api.HealthVM),
		call("vm.ports", "PortsVM", "The TCP ports that a guest listens on", api.PortsVM),
		stream("vm.logs", "LogsVM", "The console of a VM", api.LogsVM),
		socket("vm.console", "ConsoleVM", "Attach to the serial console of a VM", api.ConsoleVM, func(p rpc.VMConsoleParams) bool { return p.Stdin }),
		socket("vm.exec", "ExecVM", "Run a process in a VM", api.ExecVM, func(p rpc.VMExecParams) bool { return p.Stdin }),
		socket("vm.run", "RunVM", "Make a VM for one process", api.RunVM, func(p rpc.VMRunParams) bool { return p.Stdin }),
	}
}

func volumeRoutes(api rpc.API) []route {
	return []route{
		call("volume.create", "CreateVolume", "Make an empty volume", api.CreateVolume),
		call("volume.list", "ListVolumes", "All volumes, oldest first", noParams(api.ListVolumes)),
		call("volume.show", "ShowVolume", "One volume", api.ShowVolume),
		call("volume.delete", "DeleteVolume", "Delete a volume that no VM uses", api.DeleteVolume),
		call("volume.prune", "PruneVolumes", "Delete the volumes that no VM uses", api.PruneVolumes),
		call("volume.resize", "ResizeVolume", "Make a volume larger", api.ResizeVolume),
	}
}

func operationRoutes(api rpc.API) []route {
	return []route{
		call("operation.list", "ListOperations", "Long calls, under way and past, oldest first", noParams(api.ListOperations)),
		call("operation.show", "ShowOperation", "One long call", api.ShowOperation),
		long("operation.watch", "WatchOperation", "Report what a long call does until it ends", api.WatchOperation),
		call("operation.cancel", "CancelOperation", "End a long call and wait until it is undone", api.CancelOperation),
	}
}

// none is the parameters or the result of an operation that has none.
type none struct{}

func noParams[R any](fn func(context.Context) (R, error)) func(context.Context, none) (R, error) {
	return func(ctx context.Context, _ none) (R, error) { return fn(ctx) }
}

func noParamsLong[R any](fn func(context.Context, model.Report) (R, error)) func(context.Context, none, model.Report) (R, error) {
	return func(ctx context.Context, _ none, report model.Report) (R, error) { return fn(ctx, report) }
}

func noResult(fn func(context.Context) error) func(context.Context, none) (none, error) {
	return func(ctx context.Context, _ none) (none, error) { return none{}, fn(ctx) }
}

// call is an operation that answers at once.
func call[P, R any](verb, method, summary string, fn func(context.Context, P) (R, error)) route {
	return route{verb, method, summary, kindCall, reflect.TypeFor[P](), reflect.TypeFor[R](),
		func(s *Server, w http.ResponseWriter, r *http.Request) { serveCall(s, w, r, fn) }}
}

// long is an operation that takes its time and reports progress.
func long[P, R any](verb, method, summary string, fn func(context.Context, P, model.Report) (R, error)) route {
	return route{verb, method, summary, kindLong, reflect.TypeFor[P](), reflect.TypeFor[R](),
		func(s *Server, w http.ResponseWriter, r *http.Request) {
			if acceptsEvents(r) {
				serveEvents(s, w, r, fn)
				return
			}
			serveCall(s, w, r, func(ctx context.Context, p P) (R, error) { return fn(ctx, p, model.Discard) })
		}}
}
