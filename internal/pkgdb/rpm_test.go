package pkgdb_test

import (
	"context"
	"database/sql"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"banger/internal/model"
	"banger/internal/pkgdb"
)

// rpmTag is an entry of a header.
type rpmTag struct {
	tag, kind uint32
	data      string
}

// rpmHeader makes a header as rpm keeps it in its database.
func rpmHeader(tags ...rpmTag) []byte {
	var entries, data []byte
	for _, t := range tags {
		for _, n := range []uint32{t.tag, t.kind, uint32(len(data)), 1} {
			entries = binary.BigEndian.AppendUint32(entries, n)
		}
		data = append(data, t.data...)
	}
	b := binary.BigEndian.AppendUint32(nil, uint32(len(tags)))
	b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
	return append(append(b, entries...), data...)
}

func helloHeader() []byte {
	return rpmHeader(rpmTag{63, 7, "0123456789abcdef"}, rpmTag{1000, 6, "hello\x00"}, rpmTag{1001, 6, "1.2\x00"}, rpmTag{1002, 6, "4\x00"},
		rpmTag{1003, 4, "\x00\x00\x00\x03"}, rpmTag{1022, 6, "noarch\x00"})
}

// rpmPackages is the table as rpm makes it.
const rpmPackages = "CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)"

// database makes a database of SQLite by statements; every ? is blob.
func database(t *testing.T, blob []byte, statements ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		var args []any
		if strings.Contains(s, "?") {
			args = []any{blob}
		}
		if _, err := db.Exec(s, args...); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return read(t, path)
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const insert = "INSERT INTO Packages (blob) VALUES (?)"

func TestRPM(t *testing.T) {
	t.Parallel()
	good := database(t, helloHeader(), "PRAGMA journal_mode = WAL", rpmPackages, insert)
	hello := []model.Package{{Name: "hello", Version: "3:1.2-4", Arch: "noarch", Manager: "rpm"}}
	for _, dir := range []string{"usr/lib/sysimage/rpm", "var/lib/rpm"} {
		got, err := pkgdb.List(t.Context(), filesystem(t, map[string]string{dir + "/rpmdb.sqlite": good, dir + "/rpmdb.sqlite-wal": ""}))
		if d := cmp.Diff(hello, got); d != "" || err != nil {
			t.Errorf("%s: %v, %s", dir, err, d)
		}
	}
}

func TestRPMRefuses(t *testing.T) {
	t.Parallel()
	const huge = 1<<31 - 1
	for name, c := range map[string]struct{ db, says string }{
		"no database":  {"SQLite format 3\x00 and nothing else", "not a database"},
		"empty":        {"", "no table"},
		"no table":     {database(t, nil, "CREATE TABLE x (blob BLOB)"), "no table"},
		"a view":       {database(t, nil, "CREATE VIEW Packages AS WITH RECURSIVE n(blob) AS (SELECT 1 UNION ALL SELECT blob + 1 FROM n) SELECT * FROM n"), "no table"},
		"computed":     {database(t, nil, "CREATE TABLE Packages (n, blob AS (zeroblob(900000000)))", "INSERT INTO Packages (n) VALUES (1)"), "no table"},
		"virtual":      {database(t, nil, "CREATE VIRTUAL TABLE Packages USING fts5(blob)"), "no table"},
		"no blob":      {database(t, nil, "CREATE TABLE Packages (x)"), "no table"},
		"short":        {database(t, []byte("1234567"), rpmPackages, insert), "7 bytes"},
		"many entries": {database(t, binary.BigEndian.AppendUint64(nil, 0x10000<<32), rpmPackages, insert), "65536 entries"},
		"much data":    {database(t, binary.BigEndian.AppendUint64(nil, huge), rpmPackages, insert), "bytes of data"},
		"no name":      {database(t, rpmHeader(rpmTag{1001, 6, "1\x00"}), rpmPackages, insert), "without a name"},
		"far away":     {database(t, rpmHeader(rpmTag{1000, 6, ""}), rpmPackages, insert), "without a name"},
		"other type":   {database(t, rpmHeader(rpmTag{1000, 4, "abcd"}), rpmPackages, insert), "without a name"},
	} {
		got, err := pkgdb.List(t.Context(), filesystem(t, map[string]string{"var/lib/rpm/rpmdb.sqlite": c.db}))
		if model.CodeOf(err) != model.CodeIntegrity || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := pkgdb.List(ctx, filesystem(t, map[string]string{"var/lib/rpm/rpmdb.sqlite": database(t, nil, rpmPackages)})); err == nil {
		t.Error("a call that was canceled succeeds")
	}
}

// TestRPMOfOtherKinds: what else is known of the image is told nevertheless.
func TestRPMOfOtherKinds(t *testing.T) {
	t.Parallel()
	for file, kind := range map[string]string{"var/lib/rpm/Packages": "Berkeley DB", "usr/lib/sysimage/rpm/Packages.db": "ndb"} {
		got, err := pkgdb.List(t.Context(), filesystem(t, map[string]string{file: "x", "lib/apk/db/installed": "P:musl\n\n"}))
		if model.CodeOf(err) != model.CodeUnsupported || !strings.Contains(err.Error(), "of the kind "+kind) || len(got) != 1 {
			t.Errorf("%s: %v, %v", file, got, err)
		}
	}
}

// TestDamagedRPM changes bytes of a database: whatever becomes of it, there is
// an answer or an error.
func TestDamagedRPM(t *testing.T) {
	t.Parallel()
	good := []byte(database(t, helloHeader(), rpmPackages, insert, insert, insert))
	rnd := rand.New(rand.NewPCG(1, 2))
	refused := 0
	for range 60 {
		bad := append([]byte(nil), good...)
		for range 1 + rnd.IntN(8) {
			bad[rnd.IntN(len(bad))] ^= byte(1 + rnd.IntN(255))
		}
		if _, err := pkgdb.List(t.Context(), filesystem(t, map[string]string{"var/lib/rpm/rpmdb.sqlite": string(bad)})); err != nil {
			refused++
		}
	}
	if refused == 0 {
		t.Error("nothing was refused")
	}
}

// TestAgainstRPM compares with what rpm itself says of a database that it made.
func TestAgainstRPM(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"rpm", "rpmbuild"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed", program)
		}
	}
	dir := t.TempDir()
	rpm := func(name string, args ...string) string {
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Env = append(os.Environ(), "HOME="+dir)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s %q: %v", name, args, err)
		}
		return string(out)
	}
	db := filepath.Join(dir, "db")
	rpm("rpm", "--dbpath", db, "--define", "_db_backend sqlite", "--initdb")
	for _, spec := range []string{"one", "two"} {
		text := "Name: " + spec + "\nEpoch: 7\nVersion: 1.2~rc1\nRelease: 3\nSummary: x\nLicense: MIT\nBuildArch: noarch\n%description\nx\n%files\n"
		file := filepath.Join(dir, spec+".spec")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		rpm("rpmbuild", "--define", "_topdir "+dir, "-bb", file)
		built := filepath.Join(dir, "RPMS", "noarch", spec+"-1.2~rc1-3.noarch.rpm")
		rpm("rpm", "--dbpath", db, "--define", "_db_backend sqlite", "-i", "--justdb", "--nodeps", "--ignorearch", "--ignoreos", built)
	}
	files := map[string]string{}
	for _, name := range []string{"rpmdb.sqlite", "rpmdb.sqlite-wal"} {
		if _, err := os.Stat(filepath.Join(db, name)); err == nil {
			files["var/lib/rpm/"+name] = read(t, filepath.Join(db, name))
		}
	}
	got, err := pkgdb.List(t.Context(), filesystem(t, files))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, p := range got {
		lines = append(lines, p.Name+"/"+p.Version+"/"+p.Arch)
	}
	said := strings.Fields(rpm("rpm", "--dbpath", db, "--define", "_db_backend sqlite", "-qa", "--qf", "%{NAME}/%{EPOCH}:%{VERSION}-%{RELEASE}/%{ARCH}\n"))
	slices.Sort(said)
	if d := cmp.Diff(said, lines); d != "" || len(lines) != 2 {
		t.Error(d)
	}
}
