package testkit

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pyshm-go/pyshm/internal/covered"
)

// An outcome is a test with an outcome of its own.
type outcome struct {
	testing.TB
	cleanup        []func()
	failed, skip   bool
	fatal, skipped []any
}

func (o *outcome) Cleanup(f func())  { o.cleanup = append(o.cleanup, f) }
func (o *outcome) Failed() bool      { return o.failed }
func (o *outcome) Skipped() bool     { return o.skip }
func (o *outcome) Fatal(args ...any) { o.fatal = args }
func (o *outcome) Skip(args ...any)  { o.skipped = args }

func TestCovers(t *testing.T) {
	NeedLinux(t) // Wine cannot remove the folder
	py := Python(t)
	file := filepath.Join(t.TempDir(), "report")
	for _, env := range []string{"", file} {
		t.Setenv(covered.FileEnv, env)
		for _, o := range []*outcome{{}, {failed: true}, {skip: true}} {
			o.TB = t
			Covers(o, py, covered.Locks)
			CoversPackages(o, py, "", "no such package")
			for _, f := range o.cleanup {
				f()
			}
			if env == "" && len(o.cleanup) > 0 {
				t.Error("work without a file")
			}
		}
	}
	f := Must(os.Open(file))(t)
	defer f.Close()
	lines := Must(covered.Read(f))(t)
	if len(lines) != 1 {
		t.Fatalf("reported %v, want one line", lines)
	}
	l := lines[0]
	if l.Part != covered.Locks || l.System != "linux" || l.Bits != 64 && l.Bits != 32 || l.RunBy != os.Getenv(covered.RunByEnv) || !strings.HasPrefix(py.String(), l.Python+".") {
		t.Errorf("reported %+v for %v", l, py)
	}
}

func TestMissing(t *testing.T) {
	for env, fails := range map[string]bool{"": false, "1": true} {
		t.Setenv(EveryPartEnv, env)
		o := &outcome{TB: t}
		Missing(o, "no numpy")
		if (len(o.fatal) > 0) != fails || !fails && len(o.skipped) == 0 {
			t.Errorf("with %q: failed %v, skipped %v", env, o.fatal, o.skipped)
		}
	}
}
