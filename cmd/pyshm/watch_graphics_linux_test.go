package main

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/pyshm-go/pyshm/internal/alloctest"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

// A terminal is the far side of a pseudo terminal. It replies as a script says, and keeps
// what was sent to it.
type terminal struct {
	master, slave *os.File
	replies       map[string]string
	sent          testkit.Log
	gone          chan struct{}
}

const (
	askKitty      = "\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\"
	askAttributes = "\x1b[c"
	hasKitty      = "\x1b_Gi=31;OK\x1b\\"
	hasSixel      = "\x1b[?62;4;22c"
	hasNeither    = "\x1b[?62;22c"
)

func openTerminal(t *testing.T, cols, rows uint16, replies map[string]string) *terminal {
	t.Helper()
	for variable, value := range map[string]string{"TERM": "xterm", "TMUX": "", "COLORTERM": ""} {
		t.Setenv(variable, value)
	}
	master := testkit.Must(os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0))(t)
	number := -1
	raw := testkit.Must(master.SyscallConn())(t) // Fd would make Read outlast Close
	testkit.Check(t, raw.Control(func(fd uintptr) {
		testkit.Check(t, unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0))
		testkit.Check(t, unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: cols}))
		number = testkit.Must(unix.IoctlGetInt(int(fd), unix.TIOCGPTN))(t)
	}))
	slave := testkit.Must(os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0))(t)
	term := &terminal{master: master, slave: slave, replies: replies, gone: make(chan struct{})}
	go term.serve()
	t.Cleanup(func() {
		master.Close()
		<-term.gone
		slave.Close()
	})
	return term
}

func (term *terminal) serve() {
	defer close(term.gone)
	b := make([]byte, 1<<16)
	asked := 0 // what was sent before is replied to
	for {
		n, err := term.master.Read(b)
		if err != nil { // the other side is closed
			return
		}
		term.sent.Write(b[:n])
		for {
			at, question := -1, ""
			all := term.sent.String()[asked:]
			for q := range term.replies {
				if i := strings.Index(all, q); i >= 0 && (at < 0 || i < at) {
					at, question = i, q
				}
			}
			if at < 0 {
				break
			}
			asked += at + len(question)
			term.master.WriteString(term.replies[question])
		}
	}
}

// watch runs pyshm watch --image until what was sent holds, and returns that.
func (term *terminal) watch(t *testing.T, holds func(sent string) bool, args ...string) (sent string) {
	t.Helper()
	done := make(chan int)
	var complaint bytes.Buffer
	go func() {
		done <- run(append([]string{"watch", "--image", "--interval", "5ms"}, args...), term.slave, term.slave, &complaint)
	}()
	testkit.Eventually(t, "a picture", func() bool { return holds(term.sent.String()) })
	sent = term.sent.String()
	term.master.WriteString("q")
	if status := <-done; status != 0 {
		t.Errorf("watch exits with %d: %s", status, complaint.String())
	}
	return sent
}

// pictures has what a terminal with kitty's graphics, or with sixels, makes of a stream.
func picturesIn(t *testing.T, sent string) (kitty, sixel []picture) {
	t.Helper()
	data := ""
	var p picture
	for _, m := range kittyPart.FindAllStringSubmatch(sent, -1) {
		if len(m[2]) > kittyChunk {
			t.Fatalf("a part of a picture has %d bytes", len(m[2]))
		}
		for key := range strings.SplitSeq(m[1], ",") {
			switch n, _ := strconv.Atoi(key[2:]); key[:2] {
			case "s=":
				p.width = n
			case "v=":
				p.height = n
			}
		}
		if data += m[2]; strings.Contains(m[1], "m=1") {
			continue
		}
		packed := testkit.Must(base64.StdEncoding.DecodeString(data))(t)
		p.rgb = testkit.Must(io.ReadAll(testkit.Must(zlib.NewReader(bytes.NewReader(packed)))(t)))(t)
		kitty, data = append(kitty, p), ""
	}
	for _, m := range sixelPart.FindAllStringSubmatch(sent, -1) {
		sixel = append(sixel, decodeSixel(t, m[1]))
	}
	return kitty, sixel
}

var (
	kittyPart = regexp.MustCompile(`\x1b_G((?:a=T,[^;]*,)?q=2,m=[01]);([^\x1b]*)\x1b\\`)
	sixelPart = regexp.MustCompile(`(?s)\x1bP0;1;0q(.*?)\x1b\\`)
	sixelStep = regexp.MustCompile(`"1;1;(\d+);(\d+)|#(\d+);2;(\d+);(\d+);(\d+)|#(\d+)|!(\d+)([?-~])|([?-~])|([$-])`)
)

// decodeSixel draws sixels as a terminal does. A pixel that has no colour fails the test.
func decodeSixel(t *testing.T, text string) picture {
	t.Helper()
	var p picture
	var colours [256]pixel
	var painted []bool
	colour, x, top := 0, 0, 0
	number := func(s string) int { return testkit.Must(strconv.Atoi(s))(t) }
	paint := func(bits byte, n int) {
		for ; n > 0; n-- {
			for row := range sixelRows {
				if bits&(1<<row) != 0 {
					at := (top+row)*p.width + x
					if x >= p.width || top+row >= p.height || painted[at] {
						t.Fatalf("pixel %d of row %d is painted", x, top+row)
					}
					painted[at] = true
					copy(p.rgb[3*at:], colours[colour][:])
				}
			}
			x++
		}
	}
	if left := sixelStep.ReplaceAllString(text, ""); left != "" {
		t.Fatalf("no sixels: %q", left)
	}
	for _, m := range sixelStep.FindAllStringSubmatch(text, -1) {
		switch {
		case m[1] != "":
			p.width, p.height = number(m[1]), number(m[2])
			p.rgb, painted = make([]byte, 3*p.width*p.height), make([]bool, p.width*p.height)
		case m[3] != "":
			for i := range 3 {
				colours[number(m[3])][i] = uint8((number(m[4+i])*255 + 50) / 100)
			}
		case m[7] != "":
			colour = number(m[7])
		case m[8] != "":
			paint(m[9][0]-'?', number(m[8]))
		case m[10] != "":
			paint(m[10][0]-'?', 1)
		case m[11] == "$":
			x = 0
		default:
			x, top = 0, top+sixelRows
		}
	}
	for at, painted := range painted {
		if !painted {
			t.Fatalf("pixel %d has no colour", at)
		}
	}
	return p
}

// imageArray creates an array of pixels, of which many or few differ.
func imageArray(t *testing.T, h, w, colours int) (name string, pixels []uint8) {
	t.Helper()
	a := testkit.Must(pyshm.CreateArray[uint8](testkit.Name(t), []int{h, w, 3}))(t)
	t.Cleanup(func() {
		a.Close()
		a.Unlink()
	})
	rnd := rand.New(rand.NewPCG(1, 2))
	palette := make([]pixel, colours)
	for i := range palette {
		palette[i] = pixel{uint8(rnd.Uint32()), uint8(rnd.Uint32()), uint8(rnd.Uint32())}
	}
	for range h * w {
		c := palette[rnd.IntN(colours)]
		pixels = append(pixels, c[:]...)
	}
	testkit.Must(a.CopyFrom(pixels))(t)
	return a.Name(), pixels
}

// wantPicture compares a picture with the nearest pixels of an array.
func wantPicture(t *testing.T, p picture, width, height int, pixels []uint8, h, w, tolerance int) {
	t.Helper()
	if p.width != width || p.height != height || len(p.rgb) != 3*width*height {
		t.Fatalf("the picture has %d x %d pixels and %d bytes, not %d x %d", p.width, p.height, len(p.rgb), width, height)
	}
	for y := range height {
		for x := range width {
			at := 3 * (y*h/height*w + x*w/width)
			for c, v := range p.pixel(x, y) {
				if d := int(v) - int(pixels[at+c]); d > tolerance || d < -tolerance {
					t.Fatalf("pixel %d, %d is %v, not %v", x, y, p.pixel(x, y), pixels[at:at+3])
				}
			}
		}
	}
}

func TestWatchKitty(t *testing.T) {
	const h, w = 60, 90
	name, pixels := imageArray(t, h, w, h*w)
	term := openTerminal(t, 40, 23, map[string]string{
		askKitty: hasKitty, askCell: "\x1b[6;16;9t", askAttributes: hasSixel,
	})
	ends := func(sent string) bool { return strings.Contains(sent, "m=0;") && strings.HasSuffix(sent, mark) }
	kitty, sixel := picturesIn(t, term.watch(t, ends, name))
	if len(kitty) != 1 || len(sixel) != 0 {
		t.Fatalf("%d pictures in kitty's protocol, %d in sixels", len(kitty), len(sixel))
	}
	wantPicture(t, kitty[0], 360, 240, pixels, h, w, 0) // 40 x 20 characters are 360 x 320 pixels
	testkit.Eventually(t, "the end of the view", func() bool { return strings.Contains(term.sent.String(), leavesScreen) })
	_, end, erased := strings.Cut(term.sent.String(), fmt.Sprintf("\x1b_Ga=d,d=I,i=%d,q=2\x1b\\", os.Getpid()))
	if !erased || !strings.Contains(end, leavesScreen) {
		t.Errorf("the picture stays: after it comes %q", end)
	}
}

// A picture is sent again if the array changes, and only then.
func TestWatchPictureChanges(t *testing.T) {
	name, pixels := imageArray(t, 2, 2, 4)
	a := testkit.Must(pyshm.AttachArray[uint8](name))(t)
	defer a.Close()
	term := openTerminal(t, 20, 10, map[string]string{
		askKitty: hasKitty, askCell: "\x1b[6;10;5t", askAttributes: hasNeither,
	})
	const looks = time.Second // 200 of them
	first, second := stopwatch{}, stopwatch{}
	kitty, _ := picturesIn(t, term.watch(t, func(sent string) bool {
		n := strings.Count(sent, "m=0;")
		if n == 1 && first.after(looks) {
			testkit.Check(t, a.Set(^pixels[4], 0, 1, 1))
		}
		return n > 1 && second.after(looks)
	}, name))
	if len(kitty) != 2 {
		t.Fatalf("%d pictures were sent", len(kitty))
	}
	wantPicture(t, kitty[0], 70, 70, pixels, 2, 2, 0)
	pixels[4] = ^pixels[4]
	wantPicture(t, kitty[1], 70, 70, pixels, 2, 2, 0)
}

// A stopwatch starts when it is first asked.
type stopwatch struct{ started time.Time }

func (s *stopwatch) after(d time.Duration) bool {
	if s.started.IsZero() {
		s.started = time.Now()
	}
	return time.Since(s.started) > d
}

func TestWatchSixel(t *testing.T) {
	const h, w = 31, 20
	name, pixels := imageArray(t, h, w, 200)
	term := openTerminal(t, 40, 14, map[string]string{
		askKitty: "", askCell: "\x1b[6;10;10t", "\x1b[?1;1;0S": "\x1b[?1;0;256S", askAttributes: hasSixel,
	})
	ends := func(sent string) bool { return sixelPart.MatchString(sent) }
	kitty, sixel := picturesIn(t, term.watch(t, ends, name))
	if len(kitty) != 0 || len(sixel) == 0 {
		t.Fatalf("%d pictures in kitty's protocol, %d in sixels", len(kitty), len(sixel))
	}
	wantPicture(t, sixel[0], 69, 108, pixels, h, w, 2) // 11 characters are 110 rows, and 108 are whole sixels
}

// A picture of more colours than the terminal has is right on average.
func TestSixelPalettes(t *testing.T) {
	for _, colours := range []int{256, 128, 16, 2} {
		p := picture{width: 64, height: 48}
		for y := range p.height {
			for x := range p.width {
				p.rgb = append(p.rgb, uint8(x/8*36), uint8(y/8*50), uint8((x/8+y/8)*19))
			}
		}
		p.rgb[0]++
		got := decodeSixel(t, strings.TrimSuffix(strings.TrimPrefix(sixelImage(p, colours), "\x1bP0;1;0q"), stringEnd))
		if colours == 2 {
			continue // black and green
		}
		used := map[pixel]bool{}
		for top := 0; top < p.height; top += 8 {
			for left := 0; left < p.width; left += 8 {
				var want, sum [3]int
				for y := top; y < top+8; y++ {
					for x := left; x < left+8; x++ {
						used[got.pixel(x, y)] = true
						for c := range 3 {
							want[c] += int(p.pixel(x, y)[c])
							sum[c] += int(got.pixel(x, y)[c])
						}
					}
				}
				for c := range 3 {
					if d := (sum[c] - want[c]) / 64; d > 5 || d < -5 {
						t.Errorf("%d colours: the average at %d, %d is off by %d", colours, left, top, d)
					}
				}
			}
		}
		if len(used) > colours {
			t.Errorf("%d colours are used, of %d", len(used), colours)
		}
	}
}

// Half blocks stay where there is nothing better, and where the size of a character is
// unknown.
func TestWatchBlocks(t *testing.T) {
	name, _ := imageArray(t, 4, 4, 16)
	for what, replies := range map[string]map[string]string{
		"neither": {askCell: "\x1b[6;10;10t", askAttributes: hasNeither},
		"no size": {askKitty: hasKitty, askAttributes: hasSixel},
		"strange": {askKitty: "\x1b_Gi=31;ENOTSUPPORTED:\x1b\\\x1b_X;4\x1b\\", askCell: "\x1b[6;0;0t\x1b[6;99999;1t", askAttributes: "\x1b[?c\x1b[?;4;;c"},
		"silent":  {},
		"tmux":    {askKitty: hasKitty, askCell: "\x1b[6;10;10t", askAttributes: hasSixel},
	} {
		t.Run(what, func(t *testing.T) {
			term := openTerminal(t, 40, 14, replies)
			if what == "tmux" {
				t.Setenv("TMUX", "/tmp/tmux,1,0")
			}
			var shown stopwatch
			sent := term.watch(t, func(sent string) bool {
				return strings.Contains(sent, "▀") && shown.after(500*time.Millisecond) // 100 looks
			}, name)
			kitty, sixel := picturesIn(t, sent)
			if len(kitty)+len(sixel) > 0 || !strings.Contains(sent, "▀") {
				t.Error("no half blocks")
			}
			if what == "tmux" && strings.Contains(sent, "\x1b_G") {
				t.Error("tmux is asked")
			}
		})
	}
}

// A chosen way needs no reply, also in a pipe.
func TestGraphicsChosen(t *testing.T) {
	name, pixels := imageArray(t, 10, 10, 100)
	for _, way := range []string{"kitty", "sixel"} {
		term := openTerminal(t, 40, 23, nil)
		for _, sent := range []string{
			term.watch(t, func(sent string) bool {
				return strings.Contains(sent, "m=0;") || sixelPart.MatchString(sent)
			}, "--graphics", way, name),
			printed(t, "watch", "--image", "--graphics", way, name),
		} {
			kitty, sixel := picturesIn(t, sent)
			got := append(kitty, sixel...)
			if len(got) != 1 || len(kitty) > 0 != (way == "kitty") {
				t.Fatalf("%s: %d and %d pictures", way, len(kitty), len(sixel))
			}
			wantPicture(t, got[0], got[0].width, got[0].width, pixels, 10, 10, 2)
		}
	}
}

func printed(t *testing.T, args ...string) string {
	t.Helper()
	var out, complaint bytes.Buffer
	if status := run(args, strings.NewReader(""), &out, &complaint); status != 0 {
		t.Fatalf("pyshm exits with %d: %s", status, complaint.String())
	}
	return out.String()
}

// A huge array, and a terminal that claims to be huge, take memory by the number of pixels
// drawn.
func TestWatchHugePicture(t *testing.T) {
	if strconv.IntSize < 64 {
		t.Skip("an array of 10 GB needs addresses of 64 bits")
	}
	if !testkit.InPrivateShm(t, 1<<30) {
		return
	}
	const side = 100_000
	header := "{'descr': '|u1', 'fortran_order': False, 'shape': (100000, 100000), }"
	m, err := pyshm.Create(testkit.Name(t), 128, pyshm.Mode(0o600))
	testkit.Check(t, err)
	defer m.Unlink()
	defer m.Close()
	magic := append([]byte("\x93NUMPY\x01\x00\x76\x00"), fmt.Sprintf("%-117s\n", header)...)
	path := "/dev/shm/" + m.Name()
	testkit.Check(t, os.WriteFile(path, magic, 0o600))
	if err := os.Truncate(path, 128+side*side); errors.Is(err, syscall.EFBIG) || errors.Is(err, syscall.ENOSPC) {
		t.Skip("/dev/shm takes no sparse file of 10 GB")
	} else if err != nil {
		t.Fatal(err)
	}
	w, err := openWatched(m.Name())
	testkit.Check(t, err)
	defer w.m.Close()
	for _, way := range []string{"kitty", "sixel"} {
		g := newGraphics(way)
		g.cell = [2]int{256, 256}
		most := uint64(64 * largestPicture)
		bytes := alloctest.Least(most, func() {
			g.placed = [4]int{}
			for _, makesRoom := range []bool{true, false} {
				text, moved, err := g.next(w.table, 65535, 65535, 65532)
				if err != nil || moved != makesRoom || !moved && text == "" {
					t.Errorf("%s draws %d bytes, makes room: %v, %v", way, len(text), moved, err)
				}
			}
		})
		if bytes > most {
			t.Errorf("%s allocates %d bytes, more than %d", way, bytes, most)
		}
	}
}
