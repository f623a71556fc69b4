package model

// KernelOption is one line of a kernel's build configuration.
type KernelOption struct {
	Name  string `json:"name" doc:"CONFIG_..."`
	Value string `json:"value" doc:"y, m, a number, or a string with its quotes"`
}

// KernelModule is a module that a kernel can load.
type KernelModule struct {
	Name string `json:"name"`
	Path string `json:"path" doc:"file below lib/modules/<release>"`
}
