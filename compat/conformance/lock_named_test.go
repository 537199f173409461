//go:build darwin || pyshm_posix

package conformance

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/compat"
	"github.com/pyshm-go/pyshm/internal/soak"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// These tests share locks with Pythons where Go only tries and posts, as on macOS. On Linux
// Python does not notice: its semaphores are glibc's.

const namedPython = `
import gc, multiprocessing, random, threading
from pyshm_attach import *
context = multiprocessing.get_context("spawn")
def count(lock, path, n):
    for _ in range(n):
        with lock, open(path, "r+") as file:
            value = int(file.read())
            file.seek(0)
            file.write("%d" % (value + 1))
def contend(semaphore, rounds):
    "Acquire with timeouts around the time for which others hold it, and return how often it was acquired."
    took = 0
    for _ in range(rounds):
        if semaphore.acquire(timeout=random.random() * 0.0004):
            took += 1
            semaphore.release()
    return took
def drain(semaphore):
    tokens = 0
    while semaphore.acquire(False):
        tokens += 1
    return tokens
def run(*calls):
    threads = [threading.Thread(target=call[0], args=call[1:]) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
`

func startNamed(t *testing.T, py compat.Interpreter) *compat.Peer {
	t.Helper()
	p := start(t, py, testkit.AttachHelper(t))
	check(t, p.Exec(namedPython))
	return p
}

// namedName returns a name that leaves room for ".sleeping" on macOS.
func namedName() string { return testkit.Prefix + rand.Text()[:4] }

// forEachNamed runs a test with every Python, on what Go makes and on what Python makes.
func forEachNamed(t *testing.T, f func(t *testing.T, p *compat.Peer, byGo bool)) {
	t.Parallel()
	compat.ForEach(t, func(t *testing.T, py compat.Interpreter) {
		t.Parallel()
		p := startNamed(t, py)
		for _, byGo := range []bool{true, false} {
			t.Run(fmt.Sprintf("made by Go %v", byGo), func(t *testing.T) { f(t, p, byGo) })
		}
		check(t, p.Close())
		wantEqual(t, "standard error", p.Stderr(), "")
	})
}

// shareNamed returns Go's handle to what Go or Python has made, and Python has it as shared.
func shareNamed[H interface {
	Name() string
	Close() error
	Unlink() error
}](t *testing.T, p *compat.Peer, byGo bool, made, attach string, parts any, create, attachParts func() (H, error)) H {
	t.Helper()
	var h H
	if byGo {
		h = must(create())(t)
		check(t, p.Exec(fmt.Sprintf("shared = %s(%q)", attach, h.Name())))
	} else {
		check(t, p.Exec("shared = context."+made))
		check(t, json.Unmarshal([]byte(eval[string](t, p, "parts(shared)")), parts))
		h = must(attachParts())(t)
	}
	t.Cleanup(func() {
		check(t, h.Close())
		if byGo {
			check(t, h.Unlink())
		}
		check(t, p.Exec("shared = None; gc.collect()"))
	})
	return h
}

func namedLock(t *testing.T, p *compat.Peer, byGo bool, made, attach string) *pyshm.Lock {
	var parts struct{ Lock string }
	return shareNamed(t, p, byGo, made, attach, &parts,
		func() (*pyshm.Lock, error) { return pyshm.CreateLock(namedName()) },
		func() (*pyshm.Lock, error) { return pyshm.AttachLock(parts.Lock) })
}

// Under the lock both sides count in a file, and lose nothing.
func TestNamedLockExcludes(t *testing.T) {
	forEachNamed(t, func(t *testing.T, p *compat.Peer, byGo bool) {
		const n = 40
		for made, attach := range map[string]string{"Lock()": "attach_lock", "RLock()": "attach_rlock"} {
			l := namedLock(t, p, byGo, made, attach)
			path := filepath.Join(t.TempDir(), "count")
			check(t, os.WriteFile(path, []byte("0"), 0o600))
			python := later(p, fmt.Sprintf("run((count, shared, %q, %d), (count, shared, %q, %d))", path, n, path, n))
			var group sync.WaitGroup
			for range 2 {
				group.Go(func() {
					for range n {
						err := l.With(soon(t), func() error {
							text, err := os.ReadFile(path)
							if err != nil {
								return err
							}
							value, err := strconv.Atoi(string(text))
							return errors.Join(err, os.WriteFile(path, strconv.AppendInt(nil, int64(value+1), 10), 0o600))
						})
						if err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			group.Wait()
			check(t, <-python)
			wantEqual(t, "the count", string(must(os.ReadFile(path))(t)), strconv.Itoa(4*n))
			check(t, p.Exec("assert shared.acquire(False); shared.release()"))
		}
	})
}

// TestNamedTokens has goroutines and threads give up while others release: each token that
// was there at first is there in the end.
func TestNamedTokens(t *testing.T) {
	forEachNamed(t, func(t *testing.T, p *compat.Peer, byGo bool) {
		const tokens = 2
		rounds := soak.Length(150, 5000)
		var parts struct {
			Semaphore string
			Bound     int
		}
		s := shareNamed(t, p, byGo, fmt.Sprintf("Semaphore(%d)", tokens), "attach_semaphore", &parts,
			func() (*pyshm.Semaphore, error) { return pyshm.CreateSemaphore(namedName(), tokens) },
			func() (*pyshm.Semaphore, error) { return pyshm.AttachBoundedSemaphore(parts.Semaphore, parts.Bound) })
		python := later(p, fmt.Sprintf("run(*[(contend, shared, %d)] * 3)", rounds))
		var took, gaveUp int
		var mu sync.Mutex
		var group sync.WaitGroup
		for i := range 6 {
			group.Go(func() {
				for n := range rounds {
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration((i*53+n*17)%400)*time.Microsecond)
					err := s.Acquire(ctx)
					cancel()
					mu.Lock()
					if err == nil {
						took++
					} else {
						gaveUp++
					}
					mu.Unlock()
					if err == nil {
						time.Sleep(time.Duration(n%5) * 20 * time.Microsecond)
						err = s.Release()
					} else if errors.Is(err, context.DeadlineExceeded) {
						err = nil
					}
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		group.Wait()
		check(t, <-python)
		t.Logf("taken %d times, given up %d times", took, gaveUp)
		wantEqual(t, "tokens in the end", eval[int64](t, p, "drain(shared)"), int64(tokens))
	})
}

func TestNamedCondition(t *testing.T) {
	forEachNamed(t, func(t *testing.T, p *compat.Peer, byGo bool) {
		var parts pyshm.ConditionParts
		c := shareNamed(t, p, byGo, "Condition()", "attach_condition", &parts,
			func() (*pyshm.Condition, error) { return pyshm.CreateCondition(namedName()) },
			func() (*pyshm.Condition, error) { return pyshm.AttachConditionParts(parts) })
		// Go waits, and Python notifies.
		woken := make(chan error, 2)
		for range 2 {
			waits := make(chan struct{})
			go func() {
				woken <- c.With(soon(t), func() error {
					close(waits)
					return c.Wait(soon(t))
				})
			}()
			<-waits
		}
		check(t, p.Exec("with shared: shared.notify_all()")) // acquires when both wait
		for range 2 {
			check(t, <-woken)
		}
		// Python waits, and Go notifies, after a wait of Go that was given up.
		wantTimeout(t, c.With(soon(t), func() error { return c.Wait(briefly(t)) }))
		python := later(p, `
ready = threading.Event()
def wait():
    with shared:
        ready.set()
        assert shared.wait(60)
run((wait,), (wait,))`)
		for notified := false; !notified; time.Sleep(time.Millisecond) {
			select {
			case err := <-python:
				check(t, err)
				notified = true
			default:
				check(t, c.With(soon(t), func() error { return c.NotifyAll(soon(t)) }))
			}
		}
	})
}

func TestNamedEvent(t *testing.T) {
	forEachNamed(t, func(t *testing.T, p *compat.Peer, byGo bool) {
		var parts pyshm.EventParts
		e := shareNamed(t, p, byGo, "Event()", "attach_event", &parts,
			func() (*pyshm.Event, error) { return pyshm.CreateEvent(namedName()) },
			func() (*pyshm.Event, error) { return pyshm.AttachEventParts(parts) })
		wantTimeout(t, e.Wait(briefly(t)))
		for range 3 {
			waited := make(chan error, 1)
			go func() { waited <- e.Wait(soon(t)) }()
			check(t, p.Exec("shared.set()"))
			check(t, <-waited)
			check(t, p.Exec("assert shared.is_set(); shared.clear(); assert not shared.wait(0.001)"))
			python := later(p, "assert shared.wait(60)")
			time.Sleep(time.Millisecond)
			check(t, e.Set(soon(t)))
			check(t, <-python)
			check(t, e.Clear(soon(t)))
			check(t, p.Exec("assert not shared.is_set()"))
		}
		// Go looks again and again while Python sets and clears: the flag stays 0 or 1.
		stop := make(chan struct{})
		looked := make(chan error, 1)
		go func() {
			for {
				select {
				case <-stop:
					looked <- nil
					return
				default:
				}
				ctx, cancel := context.WithTimeout(t.Context(), 200*time.Microsecond)
				err := e.Wait(ctx)
				cancel()
				if err != nil && !errors.Is(err, context.DeadlineExceeded) {
					looked <- err
					return
				}
			}
		}()
		check(t, p.Exec(`
for _ in range(100):
    shared.set()
    assert shared.is_set()
    shared.clear()
    assert not shared.is_set()`))
		close(stop)
		check(t, <-looked)
	})
}
