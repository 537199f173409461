package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pyshm-go/pyshm/internal/covered"
)

const wantTable = `| run | system | Pythons | packages | what runs |
|---|---|---|---|---|
| in CI, by real Pythons | Linux amd64 | CPython 3.8 and 3.13 | numpy 1.17 and 2.5; pandas 3.1 | lists, arrays |
|  | Linux amd64 | CPython 3.9 to 3.11; PyPy 3.9 |  | lists |
|  | Linux 386, Pythons of 64 bits | CPython 3.11 |  | blocks |
|  | Linux 386 | CPython 3.11 |  | lists |
|  | Linux amd64, musl | CPython 3.12 |  | lists |
| in CI, under emulation | Windows amd64 (Wine) | CPython 3.14 |  | blocks, connections |
|  | Linux s390x (qemu) | CPython 3.11 |  | lists |
| by the hosted workflow | Linux arm64 (ubuntu-24.04-arm), Windows amd64 (windows-2025) | CPython 3.8 to 3.10 |  | ` + "`.ci/run`" + ` |
|  | macOS arm64 (macos-15), FreeBSD amd64 (14.3), NetBSD amd64 (10.1) | CPython 3.11 |  | ` + "`go test ./...`" + ` |
| compiled only | Linux riscv64, OpenBSD amd64 |  |  | nothing; code and tests compile |
`

func TestTable(t *testing.T) {
	lines, err := readReport("testdata/report")
	check(t, err)
	hosted, err := hostedRuns(read(t, "testdata/workflow.yml"))
	check(t, err)
	if diff := cmp.Diff(wantTable, table(lines, hosted)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// TestCheck leaves out each line of the report in turn, and then adds one: the README has
// another table.
func TestCheck(t *testing.T) {
	readme := filepath.Join(t.TempDir(), "README.md")
	check(t, os.WriteFile(readme, []byte("before\n"+begin+"an old table\n"+end+"after\n"), 0o644))
	const workflow = "testdata/workflow.yml"
	if err := run("testdata/report", readme, workflow, true); err == nil || !strings.Contains(err.Error(), "an old table") {
		t.Errorf("check of an old table: %v", err)
	}
	check(t, run("testdata/report", readme, workflow, false))
	if got, want := string(read(t, readme)), "before\n"+begin+wantTable+end+"after\n"; got != want {
		t.Errorf("wrote %q, want %q", got, want)
	}
	check(t, run("testdata/report", readme, workflow, true))

	lines, err := readReport("testdata/report")
	check(t, err)
	checkWithout := func(what string, leftOut func(covered.Line) bool) {
		t.Helper()
		kept := filepath.Join(t.TempDir(), "report")
		for _, l := range lines {
			if !leftOut(l) {
				check(t, l.Append(kept))
			}
		}
		if err := run(kept, readme, workflow, true); err == nil {
			t.Errorf("the table is current without %s", what)
		}
	}
	for _, one := range lines {
		if one.System == "darwin" || one == (covered.Line{System: "linux", Processor: "386"}) {
			continue // runs, too
		}
		checkWithout("what is like "+one.Python+" on "+one.Processor, func(l covered.Line) bool { return l == one })
	}

	more := filepath.Join(t.TempDir(), "report")
	check(t, os.WriteFile(more, read(t, "testdata/report"), 0o600))
	check(t, covered.Line{System: "linux", Processor: "arm", RunBy: "qemu", Python: "CPython 3.11", Bits: 32, Part: covered.Lists}.Append(more))
	if err := run(more, readme, workflow, true); err == nil || !strings.Contains(err.Error(), "Linux arm (qemu)") {
		t.Errorf("check with a new system: %v", err)
	}
}

func TestErrors(t *testing.T) {
	for workflow, want := range map[string]string{
		"[":       "yaml",
		"a: b":    "no jobs",
		"jobs: 1": "no jobs",
		"jobs: {x: {runs-on: solaris, steps: [{run: go test ./...}]}}":                              `"solaris"`,
		"jobs: {x: {strategy: {matrix: {a: [b], include: [{c: d}]}}, steps: [{run: go test ./.}]}}": "lists and includes",
		"jobs: {x: {steps: [{uses: vmactions/freebsd-vm@v1, with: {arch: arm64}}]}}":                "arm64",
	} {
		if _, err := hostedRuns([]byte(workflow)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", workflow, err, want)
		}
	}
	if _, err := covered.Read(strings.NewReader("{}\nno\n")); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("a wrong line: %v", err)
	}
	if _, err := replaceTable("no place", ""); err == nil {
		t.Error("a README without a place has a table")
	}
}

// TestHostedRows compares the README with the workflow. The other rows are checked by CI.
func TestHostedRows(t *testing.T) {
	hosted, err := hostedRuns(read(t, "../../.github/workflows/ci.yml"))
	check(t, err)
	readme := string(read(t, "../../README.md"))
	for _, row := range strings.SplitAfter(table(nil, hosted), "\n") {
		if !strings.Contains(readme, row) {
			t.Errorf("the README lacks %s", row)
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	check(t, err)
	return text
}
