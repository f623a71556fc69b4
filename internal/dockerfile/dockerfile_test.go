package dockerfile_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"banger/internal/dockerfile"
	"banger/internal/model"
)

func TestParse(t *testing.T) {
	t.Parallel()
	text := "\ufeff# escape=`\r\nARG V=12\r\nFROM debian:$V AS Build\r\nRUN a `\r\n  # between\r\n  && b\r\n" +
		"COPY --link --from=0 --chown=1:2 a b /c/\r\nRUN <<EOF\r\nset -e\r\nmake\r\nEOF\r\nFROM scratch\r\nCMD [\"x\", \"y\"]\r\n"
	f, err := dockerfile.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if f.Escape != '`' || len(f.Args) != 1 || len(f.Stages) != 2 || f.Stages[0].Name != "build" {
		t.Fatalf("parsed as %+v", f)
	}
	var got []string
	for _, in := range f.Stages[0].Instructions {
		got = append(got, in.String())
	}
	want := []string{"RUN a   && b", "COPY --link --from=0 --chown=1:2 a b /c/", "RUN <<EOF"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if doc := f.Stages[0].Instructions[2].Script(); doc != "set -e\nmake\n" {
		t.Errorf("here-document %q", doc)
	}
	if cmd := f.Stages[1].Instructions[0]; !cmd.Exec || cmd.Line != 13 || !cmp.Equal(cmd.JSON, []string{"x", "y"}) {
		t.Errorf("CMD is %+v", cmd)
	}
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		run  string
		want []string // argument vector, without the shell
	}{
		{"RUN A=3; echo $((1<<A)) > /out", []string{"A=3; echo $((1<<A)) > /out"}},
		{"RUN echo it\\'s > /out && cat <<EOF >>/out\nx\nEOF", []string{"echo it\\'s > /out && cat <<EOF >>/out\nx\nEOF\n"}},
		{"RUN cat <<END-1\nx\nEND-1", []string{"cat <<END-1\nx\nEND-1\n"}},
		{"RUN\tcat <<'E F'\n$x\nE F", []string{"cat <<'E F'\n$x\nE F\n"}},
		{"RUN cat <<A 3<<-B>/out\n1\nA\n\t2\n\tB", []string{"cat <<A 3<<-B>/out\n1\nA\n2\nB\n"}},
		{"RUN echo '<<A' \"<<B\" <<<C", []string{"echo '<<A' \"<<B\" <<<C"}},
		{"RUN printf '%s' 'a\tb'", []string{"printf '%s' 'a\tb'"}},
		{"RUN <<EOF\nset -e\n\nEOF", []string{"set -e\n\n"}},
	} {
		f, err := dockerfile.Parse("FROM a\n" + tt.run + "\nENV a=b")
		if err != nil || len(f.Stages[0].Instructions) != 2 {
			t.Errorf("%q: %+v, %v", tt.run, f, err)
			continue
		}
		s := dockerfile.NewState(model.ImageConfig{})
		if diff := cmp.Diff(append(dockerfile.DefaultShell(), tt.want...), s.Command(f.Stages[0].Instructions[0])); diff != "" {
			t.Errorf("%q: %s", tt.run, diff)
		}
	}
}

// TestInterpreter: a here-document may name who reads it.
func TestInterpreter(t *testing.T) {
	t.Parallel()
	f, err := dockerfile.Parse("FROM a\nRUN <<EOF\n#! /usr/bin/env  sh -e \necho \"$0\" >&2; echo \"it's\"\nEOF\n")
	if err != nil {
		t.Fatal(err)
	}
	s := dockerfile.NewState(model.ImageConfig{})
	argv := s.Command(f.Stages[0].Instructions[0])
	if diff := cmp.Diff([]string{"/usr/bin/env", "sh -e"}, argv[len(argv)-2:]); diff != "" {
		t.Error(diff)
	}
	argv[len(argv)-1] = "sh"
	out, err := exec.CommandContext(t.Context(), argv[0], argv[1:]...).Output() // in this host's shell
	if err != nil || string(out) != "it's\n" {
		t.Errorf("%q, %v", out, err)
	}
	files, _ := filepath.Glob("/dev/shm/run.*")
	for _, name := range files {
		if text, _ := os.ReadFile(name); strings.Contains(string(text), `echo "it's"`) {
			_ = os.Remove(name)
		}
	}
}

func TestContinuedLines(t *testing.T) {
	t.Parallel()
	f, err := dockerfile.Parse("FROM a\nRUN one \\  \n# between\n\n  two\nRUN three \\\\\nRUN four \\")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, in := range f.Stages[0].Instructions {
		got = append(got, in.String())
	}
	if diff := cmp.Diff([]string{"RUN one   two", `RUN three \\`, "RUN four"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text, want string
		code       model.Code
	}{
		{"RUN x", "line 1: RUN stands before", model.CodeInvalid},
		{"# nothing\n", "no FROM", model.CodeInvalid},
		{"FROM a\nONBUILD RUN x", "line 2: ONBUILD is not supported", model.CodeUnsupported},
		{"FROM a\n\nHEALTHCHECK NONE", "line 3: HEALTHCHECK", model.CodeUnsupported},
		{"FROM a\nSTOPSIGNAL 9", "STOPSIGNAL", model.CodeUnsupported},
		{"FROM a\nRUN --mount=type=cache,target=/x y", "RUN --mount is not supported", model.CodeUnsupported},
		{"FROM a\nCOPY <<EOF /x\nEOF", "COPY with a here-document", model.CodeUnsupported},
		{"FROM a\nRUN <<EOF\nx", "line 2: the here-document EOF has no end", model.CodeInvalid},
		{"FROM a\nFRBO x", "FRBO is no instruction", model.CodeInvalid},
		{"FROM a AS b\nFROM c AS B", "stage b is there", model.CodeInvalid},
		{"FROM a b", "line 1: FROM IMAGE", model.CodeInvalid},
		{"FROM a\nSHELL sh", "line 2: SHELL [", model.CodeInvalid},
		{"FROM a\nENV", "ENV has nothing", model.CodeInvalid},
		{"#escape=x\nFROM a", "escape", model.CodeInvalid},
		{"FROM a\x00", "zero byte", model.CodeInvalid},
		{strings.Repeat("#", 1<<20+1), "bytes", model.CodeLimit},
		{"FROM a\n" + strings.Repeat("RUN x\n", 4096), "4096 instructions", model.CodeLimit},
	} {
		if _, err := dockerfile.Parse(tt.text); model.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Parse(%.40q) = %v; want %q", tt.text, err, tt.want)
		}
	}
}

func TestExpand(t *testing.T) {
	t.Parallel()
	lookup := func(name string) (string, bool) {
		v, found := map[string]string{"a": "1", "empty": "", "blank": "x y"}[name]
		return v, found
	}
	for _, tt := range []struct {
		text string
		want []string
	}{
		{"$a", []string{"1"}},
		{"x${a}y", []string{"x1y"}},
		{"${b:-2} ${empty:-3} ${empty-4} ${a:-5}", []string{"2", "3", "", "1"}},
		{"${a:+6} ${b:+7} ${empty:+8} ${empty+9}", []string{"6", "", "", "9"}},
		{"${b:-${c:-$a}}", []string{"1"}},
		{`'$a' "$a" \$a`, []string{"$a", "1", "$a"}},
		{`k="a b" l='c d'  m=e\ f`, []string{"k=a b", "l=c d", "m=e f"}},
		{`"a\"b\n"`, []string{`a"b\n`}},
		{"$blank", []string{"x y"}},
		{`""`, []string{""}},
		{"$ $$ a$", []string{"$", "$$", "a$"}},
	} {
		got, err := dockerfile.Words(tt.text, '\\', lookup)
		if err != nil || !cmp.Equal(got, tt.want) {
			t.Errorf("Words(%q) = %q, %v; want %q", tt.text, got, err, tt.want)
		}
	}
	for _, bad := range []string{"${", "${a", "${a%b}", "'x", `"`, "${b:?no b}", "${}", strings.Repeat("${b:-", 64) + "x" + strings.Repeat("}", 64)} {
		if got, err := dockerfile.Words(bad, '\\', lookup); err == nil {
			t.Errorf("Words(%.20q) = %q, want an error", bad, got)
		}
	}
}

func TestApply(t *testing.T) {
	t.Parallel()
	base := model.ImageConfig{Env: []string{"PATH=/bin", "A=0"}, Entrypoint: []string{"/old"}, Cmd: []string{"old"}, WorkingDir: "/srv"}
	f, err := dockerfile.Parse("FROM x\nARG N=7\nARG G\nARG D=d\nENV A=1 B=$A\nENV C old form\nWORKDIR sub/$N\nWORKDIR ../up\nUSER u$G:$D\n" +
		"LABEL a=\"b c\" \"d e\"=f\nEXPOSE 80 53/UDP 80\nVOLUME [\"/v\"]\nVOLUME /w /v\nSHELL [\"/bin/bash\", \"-ec\"]\nENTRYPOINT run me\n")
	if err != nil {
		t.Fatal(err)
	}
	s := dockerfile.NewState(base)
	for _, in := range f.Stages[0].Instructions {
		if err := s.Apply(in, f.Escape, map[string]string{"D": "given"}, map[string]string{"G": "global"}); err != nil {
			t.Fatal(err)
		}
	}
	want := model.ImageConfig{
		Env: []string{"PATH=/bin", "A=1", "B=0", "C=old form"}, Entrypoint: []string{"/bin/bash", "-ec", "run me"},
		WorkingDir: "/srv/sub/up", User: "uglobal:given", Labels: map[string]string{"a": "b c", "d e": "f"},
		ExposedPorts: []string{"80/tcp", "53/udp"}, Volumes: []string{"/v", "/w"},
	}
	if diff := cmp.Diff(want, s.Config); diff != "" {
		t.Error(diff)
	}
	if base.Env[1] != "A=0" {
		t.Error("the base's configuration was changed")
	}
}

// TestArguments: predefined arguments reach a stage that declares them, and a
// stage that is made of another one has its arguments and its shell.
func TestArguments(t *testing.T) {
	t.Parallel()
	f, err := dockerfile.Parse("ARG V=$TARGETARCH\nFROM x\nARG TARGETARCH\nARG BUILDPLATFORM\nARG TARGETVARIANT=v9\nARG V\nSHELL [\"/bin/ash\", \"-c\"]\n")
	if err != nil {
		t.Fatal(err)
	}
	given := map[string]string{"BUILDPLATFORM": "linux/mine", "TYPO": "1", "https_proxy": "p"}
	head, err := f.Begin(given, "linux/arm64/v8", "")
	if err != nil {
		t.Fatal(err)
	}
	s := dockerfile.NewState(model.ImageConfig{Env: []string{"A=1"}})
	for _, in := range f.Stages[0].Instructions {
		if err := s.Apply(in, f.Escape, given, head.Args); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]string{"TARGETARCH": "arm64", "BUILDPLATFORM": "linux/mine", "TARGETVARIANT": "v9", "V": "arm64"}
	next := s.Inherit()
	if diff := cmp.Diff(want, next.Args); diff != "" || next.Shell[0] != "/bin/ash" || next.Config.Env[0] != "A=1" {
		t.Errorf("%s; the next stage is %+v", diff, next)
	}
	if next.Args["V"] = "else"; s.Args["V"] != "arm64" {
		t.Error("stages share their arguments")
	}
	if unused := f.Unused(given); !cmp.Equal(unused, []string{"TYPO"}) {
		t.Errorf("unused: %q", unused)
	}
}

func TestIsProxy(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{"HTTP_PROXY": true, "no_proxy": true, "Http_Proxy": false, "PROXY": false} {
		if dockerfile.IsProxy(name) != want {
			t.Errorf("IsProxy(%s) is %t", name, !want)
		}
	}
}

func TestCommandAfterEntrypointStays(t *testing.T) {
	t.Parallel()
	f, err := dockerfile.Parse("FROM x\nCMD [\"c\"]\nENTRYPOINT [\"e\"]\n")
	if err != nil {
		t.Fatal(err)
	}
	s := dockerfile.NewState(model.ImageConfig{Cmd: []string{"old"}})
	for _, in := range f.Stages[0].Instructions {
		if err := s.Apply(in, f.Escape, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if !cmp.Equal(s.Config.Cmd, []string{"c"}) || !cmp.Equal(s.Config.Entrypoint, []string{"e"}) {
		t.Errorf("the configuration is %+v", s.Config)
	}
}

func TestPlanTakesOnlyWhatIsNeeded(t *testing.T) {
	t.Parallel()
	f, err := dockerfile.Parse("FROM a AS one\nFROM b AS two\nFROM one AS three\nCOPY --from=1 /x /y\nFROM a\nCOPY --from=elsewhere /x /y\n")
	if err != nil {
		t.Fatal(err)
	}
	none := func(string) (string, bool) { return "", false }
	for target, want := range map[string][]int{"": {3}, "THREE": {0, 1, 2}, "1": {1}} {
		got, err := f.Plan(target, none)
		if err != nil || !cmp.Equal(got, want) {
			t.Errorf("Plan(%q) = %v, %v; want %v", target, got, err, want)
		}
	}
	if _, err := f.Plan("four", none); model.CodeOf(err) != model.CodeNotFound {
		t.Errorf("Plan of no stage: %v", err)
	}
}

func TestKeyTellsPartsApart(t *testing.T) {
	t.Parallel()
	state := func(env ...string) *dockerfile.State {
		s := dockerfile.NewState(model.ImageConfig{Env: env})
		return &s
	}
	seen := map[string]int{}
	for i, s := range []dockerfile.Step{
		{Parent: "ab", Text: "c"}, {Parent: "a", Text: "bc"}, {Text: "abc"}, {Text: "abc", Files: "d"}, {Text: "abc", Network: "d"},
		{Text: "abc", State: state()}, {Text: "abc", State: state("A=1", "B=2")}, {Text: "abc", State: state("A=1B=2")},
	} {
		if before, found := seen[s.Key()]; found {
			t.Errorf("steps %d and %d have one key", before, i)
		}
		seen[s.Key()] = i
	}
}

func FuzzParse(f *testing.F) {
	f.Add("FROM a AS b\nRUN <<E\nx\nE\nENV a=${b:-c} d='e'\n")
	f.Add("# escape=`\nFROM a\nCOPY --from=0 a `\n b\n")
	f.Fuzz(func(t *testing.T, text string) {
		file, err := dockerfile.Parse(text)
		if err != nil {
			return
		}
		for _, stage := range file.Stages {
			s := dockerfile.NewState(model.ImageConfig{})
			for _, in := range stage.Instructions {
				_ = s.Apply(in, file.Escape, nil, nil)
				_ = s.Command(in)
			}
		}
	})
}
