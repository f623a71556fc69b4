package provision

// Tool is something that a build installs by name, in one version.
type Tool struct {
	Name    string
	Version string
	About   string
	script  string
}

// Tools returns the tools that builds install.
func Tools() []Tool {
	return nil
}

// ToolNames returns their names.
func ToolNames() []string {
	var names []string
	for _, t := range Tools() {
		names = append(names, t.Name)
	}
	return names
}

func toolNamed(name string) (Tool, bool) {
	for _, t := range Tools() {
		if t.Name == name {
			return t, true
		}
	}
	return Tool{}, false
}

func toolScript(name string) string {
	t, _ := toolNamed(name)
	return t.script
}

// Pinned returns the names with their versions.
func Pinned(names []string) []string {
	var pinned []string
	for _, name := range names {
		t, _ := toolNamed(name)
		pinned = append(pinned, t.Name+" "+t.Version)
	}
	return pinned
}
