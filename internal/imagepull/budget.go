package imagepull

import "sync/atomic"

// budget counts what the layers of one image use of the limits; they run side
// by side.
type budget struct {
	limits            Limits
	archives          atomic.Int64 // bytes read of the archives, padding included
	contents          atomic.Int64 // bytes of files, holes included
	entries, metadata atomic.Int64
}

func (b *budget) spendOutput(spent *atomic.Int64, n int64) error {
	if n < 0 || n > b.limits.OutputBytes || spent.Add(n) > b.limits.OutputBytes {
		return limitError("output_bytes", b.limits.OutputBytes, "the layers unpack to too much data")
	}
	return nil
}

func (b *budget) spendEntry(metadata int) error {
	if b.entries.Add(1) > b.limits.Entries {
		return limitError("entries", b.limits.Entries, "the layers hold too many files")
	}
	if b.metadata.Add(int64(metadata)) > b.limits.MetadataBytes {
		return limitError("metadata_bytes", b.limits.MetadataBytes, "the files, names and attributes of the layers take too much memory")
	}
	return nil
}

// tab is what one unpacking of one layer has spent.
type tab struct {
	*budget
	archive                    int64 // by who reads the archive
	content, members, metadata int64 // by who parses it
}

func (t *tab) spendArchive(n int) error {
	t.archive += int64(n)
	return t.spendOutput(&t.archives, int64(n))
}

func (t *tab) spendContent(n int64) error {
	t.content += max(n, 0)
	return t.spendOutput(&t.contents, n)
}

func (t *tab) spendMember(metadata int) error {
	t.members, t.metadata = t.members+1, t.metadata+int64(metadata)
	return t.spendEntry(metadata)
}

// refund takes back what was spent on a layer that has to be unpacked again.
func (t *tab) refund() {
	t.archives.Add(-t.archive)
	t.contents.Add(-t.content)
	t.entries.Add(-t.members)
	t.budget.metadata.Add(-t.metadata)
}
