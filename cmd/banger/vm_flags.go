package main

import (
	"strings"

	"github.com/spf13/cobra"

	"banger/internal/model"
	"banger/internal/rpc"
)

const (
	maxCPUs   = 64
	maxMemory = 16 * tib
)

// vmFlags are the flags of run and create that shape a VM; letters and
// meanings are docker's.
type vmFlags struct {
	process      processFlags
	name         string
	hostname     string
	cpus         int
	memory, disk sizeValue
	work         workFlags
	volumes      []string
	kernel       string
	driver       string
	machine      model.MachineType
	network      model.NetworkMode
	pull         string
	platform     string
	entrypoint   string
	labels       []string
	autoRemove   bool
	policy       policyFlags
}

// add adds the flags to cmd.
func (f *vmFlags) add(a *app, cmd *cobra.Command) {
	flags := cmd.Flags()
	f.process.add(flags)
	flags.StringVar(&f.name, "name", "", "`NAME` of the VM; default: generated")
	flags.StringVar(&f.hostname, "hostname", "", "host `NAME` in the VM; default: the VM's name")
	flags.VarP(countValue{&f.cpus, 1, maxCPUs, "count"}, "cpus", "c", "number of CPUs")
	flags.VarP(&f.memory, "memory", "m", "memory, such as 512M or 2G")
	flags.Var(&f.disk, "disk", "size of the root disk, such as 10G; default: the image's own")
	f.work.add(flags)
	flags.StringArrayVarP(&f.volumes, "volume", "v", nil, "mount a volume: `NAME:/PATH[:ro]`")
	flags.StringVar(&f.kernel, "kernel", "", "`KERNEL` to boot; default: the image's")
	enumFlag(flags, &f.driver, "driver", "what runs the VM; default: the best that works here", "qemu", "firecracker")
	enumFlag(flags, &f.machine, "machine", "machine that it boots on; default: what the kernel can", string(model.MachineMicroVM), string(model.MachineQ35))
	enumFlag(flags, &f.network, "network", "what the VM may reach", string(model.NetNone), string(model.NetUser))
	enumFlag(flags, &f.pull, "pull", "pull the image when it is not here, or never", "missing", "never")
	flags.StringVar(&f.platform, "platform", "", "`OS/ARCH` of an image to pull")
	flags.StringVar(&f.entrypoint, "entrypoint", "", "`COMMAND` in place of the image's entrypoint")
	flags.StringArrayVarP(&f.labels, "label", "l", nil, "attach `KEY=VALUE` to the VM")
	flags.BoolVar(&f.autoRemove, "rm", false, "delete the VM as soon as it stops")
	f.policy.add(flags)
	f.complete(a, cmd)
}

func (f *vmFlags) complete(a *app, cmd *cobra.Command) {
	for flag, complete := range map[string]cobra.CompletionFunc{
		"driver":  words("qemu", "firecracker"),
		"machine": words(string(model.MachineMicroVM), string(model.MachineQ35)),
		"network": words(string(model.NetNone), string(model.NetUser)),
		"pull":    words("missing", "never"),
		"kernel": func(cmd *cobra.Command, _ []string, s string) ([]string, cobra.ShellCompDirective) {
			return a.names(kernelNames, false)(cmd, nil, s)
		},
	} {
		_ = cmd.RegisterFlagCompletionFunc(flag, complete) // fails for unknown flags alone
	}
}

// params checks the flags and makes them a VM of image.
func (f *vmFlags) params(a *app, cmd *cobra.Command, image string) (rpc.VMCreateParams, error) {
	image, err := a.absoluteRef(image)
	if err != nil {
		return rpc.VMCreateParams{}, err
	}
	if err := f.check(a, cmd); err != nil {
		return rpc.VMCreateParams{}, err
	}
	p := rpc.VMCreateParams{
		Image:      image,
		Name:       f.name,
		CPUs:       f.cpus,
		MemoryMiB:  int(f.memory / mib),
		DiskBytes:  int64(f.disk),
		WorkBytes:  f.work.bytes(),
		Kernel:     f.kernel,
		Driver:     f.driver,
		Machine:    f.machine,
		Network:    f.network,
		Hostname:   f.hostname,
		WorkingDir: f.process.workdir,
		User:       f.process.user,
		AutoRemove: f.autoRemove,
		Pull:       f.pull,
		Platform:   f.platform,
		Policy:     f.policy.value,
	}
	if f.entrypoint != "" {
		p.Entrypoint = []string{f.entrypoint}
	}

	if p.Labels, err = parseLabels(f.labels); err != nil {
		return p, err
	}
	if p.Volumes, err = parseMounts(f.volumes); err != nil {
		return p, err
	}
	p.Env, err = a.readEnv(f.process.envFiles, f.process.env)
	return p, err
}

// checkMemory refuses a --memory that no VM can have.
func checkMemory(path string, memory sizeValue) error {
	if memory%mib != 0 || memory > maxMemory {
		return usageError(path, "--memory %s: must be whole MiB, at most %s", memory.String(), formatSize(maxMemory))
	}
	return nil
}

// check finds what the flags alone show to be wrong, before a daemon is asked.
func (f *vmFlags) check(a *app, cmd *cobra.Command) error {
	path := cmd.CommandPath()
	if err := f.work.check(a, path); err != nil {
		return err
	}
	if err := checkMemory(path, f.memory); err != nil {
		return err
	}
	switch {
	case f.entrypoint == "" && cmd.Flags().Changed("entrypoint"):
		return usageError(path, "--entrypoint is empty: name the command to run instead")
	case f.name == "" && cmd.Flags().Changed("name"):
		return usageError(path, "--name is empty")
	case f.name == "":
		return nil
	}
	if err := model.ValidateVMName(f.name); err != nil {
		return usageError(path, "--name: %w", err)
	}
	return nil
}

// parseLabels reads KEY=VALUE or KEY.
func parseLabels(labels []string) (map[string]string, error) {
	if len(labels) == 0 {
		return nil, nil
	}
	parsed := make(map[string]string, len(labels))
	for _, label := range labels {
		key, value, _ := strings.Cut(label, "=")
		if key == "" {
			return nil, model.Errorf(model.CodeInvalid, "--label %q: want KEY=VALUE", label)
		}
		parsed[key] = value
	}
	return parsed, nil
}

// splitCommand splits the arguments of run and exec into the object and the
// command: [OBJECT] [CMD ARG...], [OBJECT] -- CMD ARG... dash is cobra's
// ArgsLenAtDash: 0 when "--" came first, so that the object was omitted.
func splitCommand(args []string, dash int) (object string, argv []string) {
	switch {
	case dash == 0:
		return "", args
	case len(args) == 0:
		return "", nil
	case len(args) > 1 && args[1] == "--":
		return args[0], args[2:]
	default:
		return args[0], args[1:]
	}
}
