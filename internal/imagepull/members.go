package imagepull

import (
	"encoding/binary"
	"iter"
	"time"

	"banger/internal/ext4"
)

// memberList keeps what the members of a layer put and link until layers are
// merged. It keeps them as bytes: nodes, names and the pointers between them
// would take four times the memory, and the collector would follow them all.
type memberList struct {
	chunks [][]byte // of whole records
	record []byte   // the last one, for its room
}

// memberChunk is how much is freed at a time when members are taken.
const memberChunk = 64 << 10

// add appends a member.
func (l *memberList) add(e *entry) {
	l.record = appendMember(l.record[:0], e)
	last := len(l.chunks) - 1
	if last < 0 || len(l.record) > cap(l.chunks[last])-len(l.chunks[last]) {
		l.chunks = append(l.chunks, make([]byte, 0, max(memberChunk, len(l.record))))
		last++
	}
	l.chunks[last] = append(l.chunks[last], l.record...)
}

// all yields the members in their order, each as a copy.
func (l *memberList) all() iter.Seq[*entry] { return l.each(false) }

// take is all, but forgets members as it goes.
func (l *memberList) take() iter.Seq[*entry] { return l.each(true) }

func (l *memberList) each(forget bool) iter.Seq[*entry] {
	return func(yield func(*entry) bool) {
		for i, chunk := range l.chunks {
			for r := (memberReader{chunk}); len(r.rest) > 0; {
				if !yield(r.member()) {
					return
				}
			}
			if forget {
				l.chunks[i] = nil
			}
		}
	}
}

// appendMember packs a member: numbers are varints (encoding/binary), texts
// have their length in front.
func appendMember(b []byte, e *entry) []byte {
	b = appendText(append(b, byte(e.kind)), e.path)
	if e.kind == hardLink {
		return appendText(b, e.target)
	}
	n := e.node
	for _, v := range []uint32{n.Mode, n.UID, n.GID, n.Major, n.Minor, uint32(n.MTime.Nanosecond())} {
		b = binary.AppendUvarint(b, uint64(v))
	}
	b = binary.AppendVarint(b, n.MTime.Unix())
	b = appendText(b, n.Link)
	b = binary.AppendUvarint(b, uint64(len(n.Xattrs)))
	for name, value := range n.Xattrs {
		b = appendText(appendText(b, name), string(value))
	}
	return n.Body.AppendTo(b)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// memberReader reads what appendMember has packed, and nothing else.
type memberReader struct{ rest []byte }

func (r *memberReader) member() *entry {
	e := &entry{kind: entryKind(r.number()), path: r.text()}
	if e.kind == hardLink {
		e.target = r.text()
		return e
	}
	n := &ext4.Node{}
	for _, v := range []*uint32{&n.Mode, &n.UID, &n.GID, &n.Major, &n.Minor} {
		*v = uint32(r.number())
	}
	nanoseconds := int64(r.number())
	seconds, size := binary.Varint(r.rest)
	r.rest = r.rest[size:]
	n.MTime = time.Unix(seconds, nanoseconds).UTC()
	n.Link = r.text()
	if count := r.number(); count > 0 {
		n.Xattrs = make(map[string][]byte, count)
		for range count {
			name := r.text()
			n.Xattrs[name] = []byte(r.text())
		}
	}
	n.Body, r.rest = ext4.CutBody(r.rest)
	e.node = n
	return e
}

func (r *memberReader) number() uint64 {
	v, n := binary.Uvarint(r.rest)
	r.rest = r.rest[n:]
	return v
}

func (r *memberReader) text() string {
	n := r.number()
	s := string(r.rest[:n])
	r.rest = r.rest[n:]
	return s
}
