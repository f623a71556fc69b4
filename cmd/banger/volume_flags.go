package main

import (
	"strings"

	"banger/internal/model"
	"banger/internal/rpc"
)

// parseMounts reads NAME:/PATH[:ro]. A path of this host is refused: VMs share
// no directories with it.
func parseMounts(args []string) ([]rpc.MountParams, error) {
	var mounts []rpc.MountParams
	for _, arg := range args {
		name, rest, ok := strings.Cut(arg, ":")
		path, mode, hasMode := strings.Cut(rest, ":")
		switch {
		case strings.HasPrefix(name, "/") || strings.HasPrefix(name, "."):
			return nil, model.Errorf(model.CodeInvalid, "--volume %q: a directory of this host cannot be mounted", arg).
				WithHint("make a volume: banger volume create NAME; then -v NAME:/path")
		case !ok || !strings.HasPrefix(path, "/") || hasMode && mode != "ro" && mode != "rw":
			return nil, model.Errorf(model.CodeInvalid, "--volume %q: want NAME:/PATH or NAME:/PATH:ro", arg)
		}
		if err := model.ValidateObjectName("volume", name); err != nil {
			return nil, model.Errorf(model.CodeInvalid, "--volume %q: %w", arg, err)
		}
		mounts = append(mounts, rpc.MountParams{Volume: name, Path: path, ReadOnly: mode == "ro"})
	}
	return mounts, nil
}

// mountList prints mounts as they are given.
func mountList(mounts []model.VolumeMount) string {
	texts := make([]string, len(mounts))
	for i, m := range mounts {
		texts[i] = m.Volume + ":" + m.Path
		if m.ReadOnly {
			texts[i] += ":ro"
		}
	}
	return quoteArgs(texts)
}
