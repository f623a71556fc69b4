package model

// Origin is where the value of a setting comes from.
type Origin string

// The origins, the weakest first.
const (
	OriginDefault Origin = "default"
	OriginFile    Origin = "file"
	OriginEnv     Origin = "environment"
)

// Setting is one thing that a user can set about the daemon.
type Setting struct {
	Key     string `json:"key" doc:"section.name, as in config.toml"`
	Value   string `json:"value"`
	Default string `json:"default"`
	Origin  Origin `json:"origin" enum:"default,file,environment"`
	Env     string `json:"env" doc:"the variable that is over the file"`
	Doc     string `json:"doc" doc:"what it does"`
}

// Settings are those that a daemon was started with.
type Settings struct {
	File     string    `json:"file" doc:"where config.toml is, or would be"`
	Settings []Setting `json:"settings"`
}
