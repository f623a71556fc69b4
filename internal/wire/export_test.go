package wire

// For tests of what is on the wire.
const (
	MagicHello = magicHello
	MagicAck   = magicAck
	MagicStart = magicStart
	MaxWindow  = maxWindow
	MaxText    = maxText
)
