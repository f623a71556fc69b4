package ext4

import "time"

// stamp is a time as an inode keeps it: 32 bits of seconds, and a word of nanoseconds<<2 whose two low
// bits extend the seconds.
type stamp struct{ seconds, extra uint32 }

// The range of a stamp, in seconds since 1970: 1901-12-13 to 2446-05-10.
const (
	minStamp = -1 << 31
	maxStamp = 1<<34 - 1<<31 - 1
)

// newStamp rounds t to what an inode can hold.
func newStamp(t time.Time) stamp {
	sec, nsec := t.Unix(), uint32(t.Nanosecond())
	switch {
	case sec < minStamp:
		sec, nsec = minStamp, 0
	case sec > maxStamp:
		sec, nsec = maxStamp, 999_999_999
	}
	epoch := uint32((sec-int64(int32(sec)))>>32) & 3
	return stamp{uint32(sec), nsec<<2 | epoch}
}

func (s stamp) time() time.Time {
	sec := int64(int32(s.seconds)) + int64(s.extra&3)<<32
	return time.Unix(sec, int64(s.extra>>2)).UTC()
}
