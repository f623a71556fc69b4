package wire

import (
	"strings"

	"banger/internal/model"
)

// NewFault returns err as it goes over the wire.
func NewFault(err error) *Fault {
	return &Fault{Code: model.CodeOf(err), Message: clip(err.Error())}
}

// Err returns the fault as an error of the host: the text is made printable
// and a code that the host does not know is CodeInternal.
func (f *Fault) Err() error {
	code := f.Code
	switch code {
	case model.CodeInvalid, model.CodeNotFound, model.CodeConflict, model.CodeNoSpace,
		model.CodeUnsupported, model.CodeLimit, model.CodeTimeout, model.CodeCanceled:
	default:
		code = model.CodeInternal
	}
	return &model.Error{Code: code, Msg: "guest: " + model.Printable(clip(f.Message))}
}

// clip cuts s to maxText bytes of valid text.
func clip(s string) string {
	s = strings.ToValidUTF8(s, "?")
	if len(s) > maxText {
		s = strings.ToValidUTF8(s[:maxText], "")
	}
	return s
}
