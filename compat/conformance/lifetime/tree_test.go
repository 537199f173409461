package lifetime

import (
	"fmt"
	"strings"
	"testing"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/testkit"
)

// A treeFate is the fate of the segments of a tree of processes.
type treeFate struct {
	WhileParentLives bool // the worker's segment is there when the worker has ended
	AtTheEnd         bool
	Warns            bool // the resource tracker, of leaked segments
}

// TestTreesLiveAsEver: a segment that a worker creates lives as long under WorkerEnv and
// with pyshm_attach as without, whichever process attaches to a segment of Go, and when.
// Processes forked later share the tracker that Python starts at the first attach.
func TestTreesLiveAsEver(t *testing.T) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		for _, tree := range testkit.Share(t, py, trees) {
			t.Run(tree.method+"/"+tree.attaches, func(t *testing.T) {
				t.Parallel()
				plain := protection{"unmodified", func(testing.TB) compat.PeerOption { return compat.Env() }, "", "ShareableList(name=%q)"}
				want := fateOfTree(t, py, plain, tree.method, tree.attaches)
				for _, way := range protections {
					if tree.attaches == "parent fails" && way.name == "pyshm_attach" {
						continue // it unlinks nothing then, and so has no need of the tracker
					}
					got := fateOfTree(t, py, way, tree.method, tree.attaches)
					if tree.attaches != "nothing" && tree.attaches != "parent fails" {
						got.Warns = want.Warns // what was attached to counts as leaked without protection
					}
					wantEqual(t, way.name, got, want)
				}
			})
		}
	})
}

// The trees: how the worker is started, and which process attaches, when. All methods but
// fork start the tracker in any case.
var trees = []struct{ method, attaches string }{
	{"fork", "parent before start"},
	{"fork", "worker"},
	{"fork", "nothing"},
	{"fork", "parent after start"},
	{"fork", "parent fails"},
	{"spawn", "parent before start"},
	{"spawn", "worker"},
	{"forkserver", "parent before start"},
	{"forkserver", "worker"},
}

func fateOfTree(t *testing.T, py compat.Interpreter, way protection, method, attaches string) treeFate {
	t.Helper()
	p := start(t, py, way.option(t))
	foreign := goList(t, py.Layout()).Name()
	if attaches == "parent before start" {
		way.attachIn(t, p, foreign)
	}
	if attaches == "parent fails" {
		wantPythonError(t, p.Exec(fmt.Sprintf(way.attach, foreignFile(t, 1<<62))), "OSError", "")
	}
	worker := must(p.StartWorker(method))(t)
	if attaches == "parent after start" {
		way.attachIn(t, p, foreign)
	}
	if attaches == "worker" {
		way.attachIn(t, worker, foreign)
	}
	created := testkit.Name(t)
	testkit.RemoveAfter(t, created)
	check(t, worker.Exec(fmt.Sprintf("created = ShareableList([1], name=%q)", created)))
	shared, own := trackerOf(t, p), trackerOf(t, worker)
	check(t, worker.Close())
	if own != nil && own != shared { // the worker's own tracker has work to do now
		testkit.WaitForEnd(t, int(own.(int64)))
	}
	result := treeFate{WhileParentLives: exists(created)}
	check(t, p.Close())
	result.AtTheEnd = exists(created)
	result.Warns = strings.Contains(p.Stderr(), "leaked shared_memory")
	if way.name != "unmodified" {
		wantEqual(t, way.name+": what Go made is there", exists(foreign), true)
	}
	return result
}

// trackerOf returns the process ID of a resource tracker, as a process knows it that has
// started or inherited it, or nil.
func trackerOf(t *testing.T, p *compat.Peer) any {
	t.Helper()
	return must(p.Eval("resource_tracker._resource_tracker._pid"))(t)
}
