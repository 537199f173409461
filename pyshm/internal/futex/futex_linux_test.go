package futex_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm/internal/futex"
)

// A wait is one of the ways to wait.
type wait func(word *uint32, old uint32, timeout time.Duration, alarm *futex.Alarm) (slept bool, err error)

// ways returns the ways to wait, each independent of how many goroutines wait already.
// Only the crowd needs futex_waitv.
func ways(t testing.TB) map[string]wait {
	t.Helper()
	ways := map[string]wait{"any": futex.Wait, "poll": futex.Poll}
	if futex.HasWaitv() {
		ways["crowd"] = futex.WaitInCrowd
	} else {
		t.Log("this system has no futex_waitv")
	}
	return ways
}

func forWays(t *testing.T, test func(t *testing.T, wait wait)) {
	for name, way := range ways(t) {
		t.Run(name, func(t *testing.T) {
			test(t, way)
			wantNoCrowd(t)
		})
	}
}

// onlyCrowd begins a test of crowds, and skips it if there is no futex_waitv.
func onlyCrowd(t *testing.T) {
	t.Helper()
	if !futex.HasWaitv() {
		t.Skip("this system has no futex_waitv")
	}
	t.Cleanup(func() { wantNoCrowd(t) })
}

// wantNoCrowd waits until every crowd has ended, as it does when its last waiter leaves.
func wantNoCrowd(t *testing.T) {
	t.Helper()
	testkit.Eventually(t, "the end of all crowds", func() bool { return len(futex.Crowds()) == 0 })
}

// mapWords returns n words of a file, each in a page of its own.
func mapWords(t testing.TB, n int) (words []*uint32, file *os.File) {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "words"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	page := os.Getpagesize()
	if err := file.Truncate(int64(n * page)); err != nil {
		t.Fatal(err)
	}
	mem, err := syscall.Mmap(int(file.Fd()), 0, n*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Munmap(mem) })
	for i := range n {
		words = append(words, (*uint32)(unsafe.Pointer(&mem[i*page])))
	}
	return words, file
}

// patience is longer than any wait takes. If a wait ends because of it, the wake has
// been lost and the test fails.
const patience = 30 * time.Second

// sleepUntilChanged waits for another value than 0.
func sleepUntilChanged(wait wait, word *uint32) error {
	for end := time.Now().Add(patience); atomic.LoadUint32(word) == 0; {
		if _, err := wait(word, 0, time.Until(end), new(futex.Alarm)); err != nil {
			return err
		}
		if time.Now().After(end) {
			return errors.New("overslept")
		}
	}
	return nil
}

func post(word *uint32, v uint32) {
	atomic.StoreUint32(word, v)
	futex.Wake(word, 1)
}

func TestOtherValue(t *testing.T) {
	forWays(t, func(t *testing.T, wait wait) {
		word := uint32(7)
		if slept, err := wait(&word, 0, time.Hour, new(futex.Alarm)); slept || err != nil {
			t.Error(slept, err)
		}
	})
}

func TestTimeout(t *testing.T) {
	forWays(t, func(t *testing.T, wait wait) {
		const timeout = 20 * time.Millisecond
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				var word uint32
				const maxWaits = 100 // signals of the Go runtime end some waits early
				end := time.Now().Add(timeout)
				for waits := 1; time.Until(end) > timeout/2; waits++ {
					slept, err := wait(&word, 0, time.Until(end), new(futex.Alarm))
					if late := -time.Until(end); !slept || err != nil || late > 10*time.Second || waits > maxWaits {
						t.Error(slept, err, late, waits)
						return
					}
				}
			})
		}
		all.Wait()
	})
}

// A signal ends the sleep of a thread early. The Go runtime sends such signals to its threads.
func TestSignal(t *testing.T) {
	thread := make(chan int, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread()
		thread <- syscall.Gettid()
		began := time.Now()
		var word uint32
		if slept, err := futex.Wait(&word, 0, patience, new(futex.Alarm)); !slept || err != nil || time.Since(began) >= patience {
			t.Error(slept, err, time.Since(began))
		}
	}()
	for id := <-thread; ; {
		select {
		case <-ended:
			return
		case <-time.After(time.Millisecond):
			syscall.Tgkill(os.Getpid(), id, syscall.SIGURG)
		}
	}
}

func TestManyWords(t *testing.T) {
	const n = 400
	forWays(t, func(t *testing.T, wait wait) {
		words, _ := mapWords(t, n)
		var all sync.WaitGroup
		for _, word := range words {
			all.Go(func() {
				if err := sleepUntilChanged(wait, word); err != nil {
					t.Error(err)
				}
			})
		}
		time.Sleep(20 * time.Millisecond)
		for _, i := range rand.Perm(n) {
			post(words[i], 1)
		}
		all.Wait()
	})
}

// Waiters come into existing crowds, as long as these have room.
func TestCrowdsAreFilled(t *testing.T) {
	onlyCrowd(t)
	words, _ := mapWords(t, 127+127+1)
	var all sync.WaitGroup
	for _, word := range words {
		all.Go(func() { futex.WaitInCrowd(word, 0, patience, new(futex.Alarm)) })
	}
	testkit.Eventually(t, "two full crowds and one more", func() bool {
		sizes := futex.Crowds()
		return len(sizes) == 3 && sizes[0]+sizes[1]+sizes[2] == len(words)
	})
	if sizes := futex.Crowds(); sizes[0] != 127 || sizes[1] != 127 {
		t.Error(sizes)
	}
	for _, word := range words {
		post(word, 1)
	}
	all.Wait()
}

// A wake counts a waiter in a crowd as it counts any other, and wakes it alone.
func TestWakeIsCounted(t *testing.T) {
	onlyCrowd(t)
	words, _ := mapWords(t, 3)
	woken := make([]chan bool, len(words))
	for i, word := range words {
		woken[i] = make(chan bool, 1)
		go func() {
			slept, err := futex.WaitInCrowd(word, 0, patience, new(futex.Alarm))
			woken[i] <- slept && err == nil
		}()
	}
	testkit.Eventually(t, "a wake that is counted", func() bool {
		n, err := futex.Wake(words[1], futex.All)
		if err != nil || n > 1 {
			t.Error(n, err)
		}
		return n == 1
	})
	if !<-woken[1] { // although the word has not changed
		t.Error("not woken")
	}
	for _, i := range []int{0, 2} {
		select {
		case <-woken[i]:
			t.Errorf("the wake for another word has woken number %d", i)
		default:
		}
		post(words[i], 1)
		<-woken[i]
	}
}

// A word whose memory is gone is an error for its own waiter.
func TestGoneWord(t *testing.T) {
	forWays(t, func(t *testing.T, wait wait) {
		words, file := mapWords(t, 3)
		var others sync.WaitGroup
		for _, word := range words[:2] {
			others.Go(func() {
				if err := sleepUntilChanged(wait, word); err != nil {
					t.Error(err)
				}
			})
		}
		gone := make(chan error)
		go func() { gone <- sleepUntilGone(wait, words[2]) }()
		time.Sleep(20 * time.Millisecond)
		if err := file.Truncate(int64(2 * os.Getpagesize())); err != nil {
			t.Fatal(err)
		}
		if _, err := wait(words[2], 0, patience, new(futex.Alarm)); err != syscall.EFAULT {
			t.Errorf("for one that came later: %v", err)
		}
		if err := <-gone; err != syscall.EFAULT {
			t.Errorf("for one that was there: %v", err)
		}
		for _, word := range words[:2] {
			post(word, 1)
		}
		others.Wait()
	})
}

// sleepUntilGone waits again and again until a wait fails, and returns the error.
func sleepUntilGone(wait wait, word *uint32) error {
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if _, err := wait(word, 0, 20*time.Millisecond, new(futex.Alarm)); err != nil {
			return err
		}
	}
	return nil
}

// An alarm that rings once ends its wait, whatever the thread does at that moment, and a
// wait that begins afterwards. In crowds it rings while others come, leave and are woken.
func TestAlarm(t *testing.T) {
	const waiters, rounds = 200, 20
	forWays(t, func(t *testing.T, wait wait) {
		words, _ := mapWords(t, waiters)
		var all sync.WaitGroup
		for _, word := range words {
			all.Go(func() {
				for range rounds {
					alarm := new(futex.Alarm)
					time.AfterFunc(time.Duration(rand.IntN(200))*time.Microsecond, alarm.Ring)
					end := time.Now().Add(patience)
					for !alarm.HasRung() && time.Now().Before(end) {
						if _, err := wait(word, 0, patience, alarm); err != nil {
							t.Error(err)
						}
					}
					if time.Now().After(end) {
						t.Error("overslept")
						return
					}
					if slept, err := wait(word, 0, patience, alarm); slept || err != nil {
						t.Error("after the alarm:", slept, err)
					}
				}
			})
		}
		all.Wait()
	})
}

// Words of one crowd that are changed and woken at random moments, by the dozen
// at once, while others come and give up: no wake is lost.
func TestNoWakeIsLost(t *testing.T) {
	const words, rounds = 150, 100
	forWays(t, func(t *testing.T, wait wait) {
		mapped, _ := mapWords(t, words)
		rounds := rounds
		if t.Name() == "TestNoWakeIsLost/poll" {
			rounds /= 10 // a round takes milliseconds
		}
		var all sync.WaitGroup
		for _, word := range mapped {
			all.Go(func() {
				for range rounds {
					if rand.IntN(4) == 0 {
						wait(word, 0, time.Duration(rand.IntN(100))*time.Microsecond, new(futex.Alarm))
					}
					if err := sleepUntilChanged(wait, word); err != nil {
						t.Error(err)
						return
					}
					atomic.StoreUint32(word, 0)
				}
			})
		}
		all.Go(func() {
			left := make([]int, words)
			for i := range left {
				left[i] = rounds
			}
			for end := time.Now().Add(2 * patience); time.Now().Before(end); {
				open := false
				for i, word := range mapped {
					if open = open || left[i] > 0; left[i] > 0 && atomic.CompareAndSwapUint32(word, 0, 1) {
						left[i]--
						futex.Wake(word, 1)
					}
				}
				if !open {
					return
				}
				time.Sleep(time.Duration(rand.IntN(20)) * time.Microsecond)
			}
			t.Error("the waiters do not come to an end")
		})
		all.Wait()
	})
}

// A process that changes a word to and fro does not keep the others of the crowd
// from being woken, for a new value or by an alarm.
func TestRestlessWord(t *testing.T) {
	onlyCrowd(t)
	words, _ := mapWords(t, 4)
	var stop atomic.Bool
	var enemy sync.WaitGroup
	enemy.Go(func() {
		for v := uint32(0); !stop.Load(); v = 1 - v {
			atomic.StoreUint32(words[0], v)
		}
	})
	enemy.Go(func() {
		for !stop.Load() {
			futex.WaitInCrowd(words[0], 0, time.Second, new(futex.Alarm))
		}
	})
	for range 20 {
		for _, word := range words[1:3] {
			atomic.StoreUint32(word, 0)
			enemy.Go(func() {
				time.Sleep(time.Millisecond)
				post(word, 1)
			})
			if err := sleepUntilChanged(futex.WaitInCrowd, word); err != nil {
				t.Error(err)
			}
		}
		alarm := new(futex.Alarm)
		time.AfterFunc(time.Millisecond, alarm.Ring)
		futex.WaitInCrowd(words[3], 0, patience, alarm)
	}
	stop.Store(true)
	enemy.Wait()
}

// BenchmarkHandover hands over to a goroutine and back, by two words. With "any"
// both have a thread of their own; in a crowd they share one with 125 others.
func BenchmarkHandover(b *testing.B) {
	for name, wait := range ways(b) {
		b.Run(name, func(b *testing.B) {
			words, _ := mapWords(b, 127)
			if name == "any" {
				words = words[:2]
			}
			var all sync.WaitGroup
			for _, word := range words[2:] {
				all.Go(func() { wait(word, 0, patience, new(futex.Alarm)) })
			}
			const stop = 2
			all.Go(func() {
				for {
					if sleepUntilChanged(wait, words[0]) != nil || atomic.SwapUint32(words[0], 0) == stop {
						return
					}
					post(words[1], 1)
				}
			})
			for b.Loop() {
				post(words[0], 1)
				if err := sleepUntilChanged(wait, words[1]); err != nil {
					b.Fatal(err)
				}
				atomic.StoreUint32(words[1], 0)
			}
			post(words[0], stop)
			for _, word := range words[2:] {
				post(word, 1)
			}
			all.Wait()
		})
	}
}
