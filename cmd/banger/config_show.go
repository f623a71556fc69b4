package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"banger/internal/model"
)

func newConfigCommand(a *app) *cobra.Command {
	return newNoun("config", "", "see the daemon's settings", "  banger config show", []*cobra.Command{newConfigShowCommand(a)})
}

func newConfigShowCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "show [KEY]",
		Short: "show the daemon's settings and where each comes from",
		Long: "Shows what the daemon was started with: from its config.toml, from its environment\n" +
			"(BANGER_IMAGE_LAYERS is over image.layers), or by default. A change counts from the\n" +
			"next start on: banger system shutdown ends the daemon, VMs go on.",
		Example: "  banger config show\n  banger config show image.layers",
		Args:    wantArgs(0, 1, "KEY"),
		RunE: a.action(func(ctx context.Context, args []string) error {
			return runConfigShow(ctx, a, strings.Join(args, ""))
		}),
	}
}

func runConfigShow(ctx context.Context, a *app, key string) error {
	api, err := a.connect(ctx)
	if err != nil {
		return err
	}
	told, err := api.Settings(ctx)
	if err != nil {
		return err
	}
	if key != "" {
		s, err := findSetting(told.Settings, key)
		if err != nil {
			return err
		}
		return showName(a, s, s.Value)
	}
	if a.flags.json {
		return a.printJSON(told)
	}
	if !a.flags.quiet {
		a.say("settings are read from " + told.File)
	}
	return showList(a, told.Settings, func(s model.Setting) string { return s.Key }, settingsTable)
}

func settingsTable(settings []model.Setting) table {
	t := table{header: []string{"KEY", "VALUE", "ORIGIN", "WHAT"}}
	for _, s := range settings {
		value := s.Value
		if value == "" {
			value = "-"
		}
		t.rows = append(t.rows, []string{s.Key, value, string(s.Origin), s.Doc})
	}
	return t
}

func findSetting(settings []model.Setting, key string) (model.Setting, error) {
	var keys []string
	for _, s := range settings {
		if s.Key == key {
			return s, nil
		}
		keys = append(keys, s.Key)
	}
	e := model.Errorf(model.CodeNotFound, "there is no setting %q", key)
	if near := model.Nearest(key, keys); len(near) > 0 {
		return model.Setting{}, e.WithHint("%s", didYouMean(near...))
	}
	return model.Setting{}, e.WithHint("banger config show")
}
