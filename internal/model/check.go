package model

// CheckLevel is how a check came out.
type CheckLevel string

// The levels.
const (
	CheckOK   CheckLevel = "ok"
	CheckWarn CheckLevel = "warn" // it works, but not as well as it could
	CheckFail CheckLevel = "fail" // something cannot work
)

// Check is one finding about this host or about what is kept on it.
type Check struct {
	Name    string     `json:"name" doc:"what was looked at"`
	Level   CheckLevel `json:"level" enum:"ok,warn,fail"`
	Message string     `json:"message"`
	Hint    string     `json:"hint,omitempty" doc:"the next command, when there is something to do"`
}
