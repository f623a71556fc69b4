package model

// VMChange is what came of changing a VM.
type VMChange struct {
	VM    VM       `json:"vm"`
	Now   []string `json:"now" doc:"settings that hold from now on"`
	Later []string `json:"later" doc:"settings that hold from the next start on"`
}
