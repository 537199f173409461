package pyshm_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/soak"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// TestEnemy uses a list while another process overwrites random words of its header,
// table, formats, codes and data. Every value that a method reads has to be in the set.
// Every other result has to be an error of a known kind.
func TestEnemy(t *testing.T) {
	testkit.NeedKeptNames(t)
	seed := soak.Seed(t)
	for _, layout := range []format.Layout{format.Offsets, format.Sizes} {
		t.Run(layout.String(), func(t *testing.T) {
			l := createList(t, usedValues(soak.Rand(seed, -1), 4), pyshm.Layout(layout))
			enemy := testkit.StartChild(t, "enemy", l.Name(), layout.String(), fmt.Sprint(seed), fmt.Sprint(l.SharedMemory().Size()))
			enemy.Line(t)

			end := time.Now().Add(soak.Length(500*time.Millisecond, time.Minute))
			var attaching sync.WaitGroup
			var attached soak.Tally
			attaching.Go(func() { attachToEnemy(t, l.Name(), end, &attached) })
			used := useUntil(t, end, seed, 4, append(refusals, format.ErrCorrupt), func(u *user) { u.use(l) })
			attaching.Wait()
			t.Logf("the enemy wrote %s words; using: %v; attaching: %v", enemy.End(t), used, &attached)
			if used.Count("values") == 0 {
				t.Error("no value was read")
			}
		})
	}
}

// attachToEnemy attaches again and again to a list that changes all the time.
func attachToEnemy(t *testing.T, name string, end time.Time, tally *soak.Tally) {
	var s pyshm.Segment
	if testkit.HasFiles {
		s = segment(t, name)
	}
	u := newUser(t, 0, 0, format.ErrCorrupt, format.ErrIncomplete, format.ErrBusy)
	for time.Now().Before(end) {
		l, err := pyshm.AttachList(name)
		u.count("AttachList", err)
		if err == nil {
			u.count("Check", l.Check())
			l.Close()
		}
		if !testkit.HasFiles {
			continue
		}
		c, err := s.Inspect()
		u.count("Inspect", err)
		tally.Add("inspected as "+string(c.Kind), 1)
	}
	u.report(tally)
}

func init() { testkit.Roles["enemy"] = enemy }

// enemy overwrites the list with the given name until the end, and prints how many words
// it wrote. It restores as much as it destroys, so that some values can be read.
func enemy(args []string, end <-chan string) error {
	m, err := pyshm.Attach(args[0])
	if err != nil {
		return err
	}
	defer m.Close()
	seed, err := strconv.ParseUint(args[2], 10, 64)
	if err != nil {
		return err
	}
	size, err := strconv.Atoi(args[3]) // m may have whole pages
	if err != nil {
		return err
	}
	words, err := pyshm.View[uint64](m, 0, size/8)
	if err != nil {
		return err
	}
	v := newVictim(words, m.Bytes()[:size], args[1] == format.Sizes.String(), soak.Rand(seed, -2))
	fmt.Println("ready")
	for {
		select {
		case <-end:
			fmt.Println(v.writes)
			return nil
		default:
			for range 1000 {
				v.overwrite()
			}
		}
	}
}

// A victim is a list that the enemy overwrites. The enemy knows the offsets of its parts:
//
//	Offsets   count, n+1 offsets, data, n formats, n codes
//	Sizes     count, n sizes, data, n formats, n codes
type victim struct {
	r             *rand.Rand
	words         []uint64 // all but the codes
	codes         []byte
	data, formats int      // where they begin in words
	original      []uint64 // the initial words
	originalCodes []byte
	writes        int
}

func newVictim(words []uint64, memory []byte, sizes bool, r *rand.Rand) *victim {
	n := int(words[0])
	codes := len(memory) - n
	v := &victim{r: r, words: words[:codes/8], codes: memory[codes:], data: 2 + n, formats: codes/8 - n}
	if sizes {
		v.data--
	}
	v.original = append(v.original, v.words...)
	v.originalCodes = append(v.originalCodes, v.codes...)
	return v
}

// overwrite overwrites a word or a code.
func (v *victim) overwrite() {
	v.writes++
	switch n := v.r.IntN(100); {
	case n < 2:
		v.structure(0, v.garbage())
	case n < 12:
		v.structure(1+v.r.IntN(v.data-1), v.offset())
	case n < 35:
		v.structure(v.formats+v.r.IntN(len(v.words)-v.formats), v.format())
	case n < 50:
		i := v.r.IntN(len(v.codes))
		v.codes[i] = v.originalCodes[i]
		if v.r.IntN(2) == 0 {
			v.codes[i] = byte(v.r.IntN(6) - 1)
		}
	default:
		word := randomWord(v.r)
		v.store(v.data+v.r.IntN(v.formats-v.data), binary.NativeEndian.Uint64(word[:]))
	}
}

// structure stores another word, or restores the original one.
func (v *victim) structure(at int, other uint64) {
	if v.r.IntN(2) == 0 {
		other = v.original[at]
	}
	v.store(at, other)
}

func (v *victim) store(at int, word uint64) { atomic.StoreUint64(&v.words[at], word) }

// garbage returns a number at the edge of some range, or any number.
func (v *victim) garbage() uint64 {
	edges := []uint64{0, 1, 7, 8, uint64(len(v.codes)), 8 * uint64(len(v.words)), 1 << 31, 1 << 60, math.MaxInt64, 1 << 63, math.MaxUint64}
	if n := v.r.IntN(2 * len(edges)); n < len(edges) {
		return edges[n] + uint64(v.r.IntN(3)) - 1
	}
	return v.r.Uint64()
}

// offset returns a place in the data area, of any item.
func (v *victim) offset() uint64 {
	if v.r.IntN(4) == 0 {
		return v.garbage()
	}
	return uint64(8 * v.r.IntN(v.formats-v.data+2))
}

// format returns a format word: one that occurs in lists, or a wrong one.
func (v *victim) format() uint64 {
	texts := []string{"q", "d", "xxxxxxx?", "xxxxxx?x", "", " ", "q\x00q", "8q", "xxxxxxxx", "-8s", "99999999"}
	var word [8]byte
	switch n := v.r.IntN(3 * len(texts)); {
	case n < len(texts):
		copy(word[:], texts[n])
	case n < 2*len(texts):
		copy(word[:], texts[n%4])
	default:
		copy(word[:], fmt.Append(nil, v.r.IntN(100), "s"))
	}
	return binary.NativeEndian.Uint64(word[:])
}
