//go:build linux

// Command scale measures what grows with the length of a list, the size of an array, and
// the number of segments and of waiters:
//
//	go run ./internal/bench/scale [-quick] [-json] [-svg FOLDER]
//
// It needs a /dev/shm of 5 GB for an array of 4 GiB; what does not fit there is left out.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/pyshm-go/pyshm/internal/bench/picture"
	"github.com/pyshm-go/pyshm/internal/bench/rounds"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "scale:", err)
		os.Exit(1)
	}
}

// A series is measured at growing sizes.
type series struct {
	name  string
	title string // of the picture
	x     string // what grows
	sizes []int
	bytes func(size int) int // in /dev/shm

	measure func(size int) (figures, error)
}

// figures are the times of a size, in nanoseconds, and bytes of memory where the name says
// so.
type figures []figure

type figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"` // nanoseconds or bytes
	Bytes bool    `json:"bytes,omitempty"`
}

func (f figure) text() string {
	if f.Bytes {
		return rounds.Bytes(f.Value)
	}
	return rounds.Time(f.Value)
}

type report struct {
	Series []result `json:"series"`
}

type result struct {
	Name   string  `json:"name"`
	Title  string  `json:"title"`
	Grows  string  `json:"grows"` // what the sizes count
	Points []point `json:"points"`
}

// A point is the result for one size.
type point struct {
	Size    int     `json:"size"`
	Figures figures `json:"figures"`
}

func run() error {
	quick := flag.Bool("quick", false, "measure the two smallest sizes only")
	only := flag.String("run", "", "measure only series that match the `regexp`")
	asJSON := flag.Bool("json", false, "print JSON")
	svg := flag.String("svg", "", "also draw each series into the `folder`")
	lock := flag.String("wait", "", "wait for a lock: how the command runs itself, with its `name`")
	flag.Parse()
	if *lock != "" {
		return waitFor(*lock, os.Stdin, os.Stdout)
	}
	match, err := regexp.Compile(*only)
	if err != nil {
		return err
	}
	var r report
	for _, s := range []series{lists(), arrays(), segments(), goroutines(), processes()} {
		if !match.MatchString(s.name) {
			continue
		}
		if *quick {
			s.sizes = s.sizes[:2]
		}
		points, err := s.run(!*asJSON)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		r.Series = append(r.Series, result{s.name, s.title, s.x, points})
	}
	if *asJSON {
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", "  ")
		if err := e.Encode(r); err != nil {
			return err
		}
	}
	if *svg != "" {
		return picture.Draw(r, *svg)
	}
	return nil
}

func (s series) run(print bool) (points []point, err error) {
	for i, size := range s.sizes {
		if free := room(); s.bytes(size) > free {
			fmt.Fprintf(os.Stderr, "scale: %s of %d left out: /dev/shm has only %s\n", s.name, size, rounds.Bytes(float64(free)))
			continue
		}
		f, err := s.measure(size)
		if err != nil {
			return nil, fmt.Errorf("%d: %w", size, err)
		}
		points = append(points, point{size, f})
		if print && i == 0 {
			fmt.Printf("\n%16s", s.name)
			for _, one := range f {
				fmt.Printf(" %16s", one.Name)
			}
			fmt.Println()
		}
		if print {
			fmt.Printf("%16d", size)
			for _, one := range f {
				fmt.Printf(" %16s", one.text())
			}
			fmt.Println()
		}
	}
	return points, nil
}

// room returns how many bytes /dev/shm has to spare.
func room() int {
	var fs syscall.Statfs_t
	if err := syscall.Statfs("/dev/shm", &fs); err != nil {
		return 0
	}
	return int(fs.Bavail) * int(fs.Bsize)
}

// timed returns the median time of f in several rounds of n calls each.
func timed(name string, n int, f func(i int) error) (figure, error) {
	var each []float64
	for range 5 {
		runtime.GC()
		began := time.Now()
		for i := range n {
			if err := f(i); err != nil {
				return figure{}, fmt.Errorf("%s: %w", name, err)
			}
		}
		each = append(each, float64(time.Since(began))/float64(n))
	}
	slices.Sort(each)
	return figure{Name: name, Value: each[len(each)/2]}, nil
}

// measured adds a figure, unless there was an error before.
type measured struct {
	figures figures
	err     error
}

func (m *measured) timed(name string, n int, f func(i int) error) {
	if m.err != nil {
		return
	}
	var one figure
	one, m.err = timed(name, n, f)
	m.figures = append(m.figures, one)
}

// grown measures the private memory that each of n calls of f adds: the heap and the
// stacks of Go, and the anonymous pages of the process, which may count a part twice.
func (m *measured) grown(name string, n int, f func(i int) error) {
	if m.err != nil {
		return
	}
	heap, pages := privateMemory()
	for i := range n {
		if m.err = f(i); m.err != nil {
			return
		}
	}
	heapAfter, pagesAfter := privateMemory()
	bytes := max(heapAfter-heap, 0) + max(pagesAfter-pages, 0)
	m.figures = append(m.figures, figure{Name: name, Value: float64(bytes) / float64(n), Bytes: true})
}

func privateMemory() (heap, pages int) {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return int(stats.HeapAlloc + stats.StackInuse), 0
	}
	_, rest, _ := strings.Cut(string(status), "RssAnon:")
	line, _, _ := strings.Cut(rest, " kB")
	kilobytes, _ := strconv.Atoi(strings.TrimSpace(line))
	return int(stats.HeapAlloc + stats.StackInuse), kilobytes << 10
}

// allocated returns how many bytes f allocates.
func (m *measured) allocated(name string, f func() error) {
	if m.err != nil {
		return
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	m.err = f()
	runtime.ReadMemStats(&after)
	m.figures = append(m.figures, figure{Name: name, Value: float64(after.TotalAlloc - before.TotalAlloc), Bytes: true})
}
