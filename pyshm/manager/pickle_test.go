package manager

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/internal/alloctest"
	"github.com/pyshm-go/pyshm/internal/testkit"
)

// The payloads that real clients and servers exchanged.
func TestPicklesAsCaptured(t *testing.T) {
	const frame = "\x80\x04\x95%s\x00\x00\x00\x00\x00\x00\x00%s"
	for _, tc := range []struct {
		got          []byte
		length, body string
	}{
		{encodeRequest("dummy"), "\x10", "(N\x8c\x05dummy\x94)}\x94t\x94."},
		{encodeRequest("list_segments"), "\x18", "(N\x8c\x0dlist_segments\x94)}\x94t\x94."},
		{encodeRequest("shutdown"), "\x13", "(N\x8c\x08shutdown\x94)}\x94t\x94."},
		{encodeRequest("track_segment", "psm_0101178d"), "\x28", "(N\x8c\x0dtrack_segment\x94\x8c\x0cpsm_0101178d\x94\x85\x94}\x94t\x94."},
		{encodeRequest("release_segment", "psm_0101178d"), "\x2a", "(N\x8c\x0frelease_segment\x94\x8c\x0cpsm_0101178d\x94\x85\x94}\x94t\x94."},
		{encodeReply(kindReturn, nil), "\x0e", "\x8c\x07#RETURN\x94N\x86\x94."},
		{encodeReply(kindReturn, []string{}), "\x0f", "\x8c\x07#RETURN\x94]\x94\x86\x94."},
		{encodeReply(kindReturn, []string{"psm_8de16279"}), "\x1f", "\x8c\x07#RETURN\x94]\x94\x8c\x0cpsm_8de16279\x94a\x86\x94."},
		{encodeReply(kindReturn, []string{"psm_8de16279", "psm_0101178d"}), "\x2f", "\x8c\x07#RETURN\x94]\x94(\x8c\x0cpsm_8de16279\x94\x8c\x0cpsm_0101178d\x94e\x86\x94."},
		{encodeReply(kindReturn, 0), "\x0f", "\x8c\x07#RETURN\x94K\x00\x86\x94."},
		{encodeReply(kindReturn, ""), "\x10", "\x8c\x07#RETURN\x94\x8c\x00\x94\x86\x94."},
		{encodeReply(kindTraceback, "é"), "\x15", "\x8c\x0a#TRACEBACK\x94\x8c\x02é\x94\x86\x94."},
	} {
		if want := fmt.Sprintf(frame, tc.length, tc.body); string(tc.got) != want {
			t.Errorf("pickled %q, want %q", tc.got, want)
		}
	}
	long := encodeReply(kindTraceback, strings.Repeat("x", 300))
	if want := "80049542010000000000008c0a2354524143454241434b94582c01000078787878"; !strings.HasPrefix(hex.EncodeToString(long), want) {
		t.Errorf("pickled %x, want %s...", long, want)
	}
}

// The hashes are of the pickles that CPython 3.8 and 3.13 make of the same lists.
func TestListsAsPickledByPython(t *testing.T) {
	for n, want := range map[int]string{
		0: "390daa94b6cd085c", 1: "efea1074f4cfbd2c", 2: "f2d39685d0e1ad95",
		1000: "b7ac117c681ced7c", 1001: "32778a5735b838b2", 2500: "6e9260bf0598e97d",
	} {
		names := make([]string, n)
		for i := range names {
			names[i] = fmt.Sprintf("psm_%08x", i)
		}
		pickle := encodeReply(kindReturn, names)
		if got := fmt.Sprintf("%x", sha256.Sum256(pickle)); got[:16] != want {
			t.Errorf("%d names: %s, want %s", n, got[:16], want)
		}
		value, err := decodeReply(pickle)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := strs(value); err != nil || strings.Join(got, " ") != strings.Join(names, " ") {
			t.Errorf("%d names were read back as %q, %v", n, got, err)
		}
	}
}

// One request and one reply in each protocol, as Python's pickle.dumps makes
// them.
func TestEveryProtocol(t *testing.T) {
	for protocol, p := range []struct{ request, reply string }{
		{"(NVtrack_segment\np0\n(Vpsm_1\np1\ntp2\n(dp3\ntp4\n.", "(V#RETURN\np0\n(lp1\nVa\np2\naVb\np3\natp4\n."},
		{"(NX\r\x00\x00\x00track_segmentq\x00(X\x05\x00\x00\x00psm_1q\x01tq\x02}q\x03tq\x04.", "(X\x07\x00\x00\x00#RETURNq\x00]q\x01(X\x01\x00\x00\x00aq\x02X\x01\x00\x00\x00bq\x03etq\x04."},
		{"\x80\x02(NX\r\x00\x00\x00track_segmentq\x00X\x05\x00\x00\x00psm_1q\x01\x85q\x02}q\x03tq\x04.", "\x80\x02X\x07\x00\x00\x00#RETURNq\x00]q\x01(X\x01\x00\x00\x00aq\x02X\x01\x00\x00\x00bq\x03e\x86q\x04."},
		{"\x80\x03(NX\r\x00\x00\x00track_segmentq\x00X\x05\x00\x00\x00psm_1q\x01\x85q\x02}q\x03tq\x04.", "\x80\x03X\x07\x00\x00\x00#RETURNq\x00]q\x01(X\x01\x00\x00\x00aq\x02X\x01\x00\x00\x00bq\x03e\x86q\x04."},
		{"\x80\x04\x95!\x00\x00\x00\x00\x00\x00\x00(N\x8c\rtrack_segment\x94\x8c\x05psm_1\x94\x85\x94}\x94t\x94.", "\x80\x04\x95\x19\x00\x00\x00\x00\x00\x00\x00\x8c\x07#RETURN\x94]\x94(\x8c\x01a\x94\x8c\x01b\x94e\x86\x94."},
		{"\x80\x05\x95!\x00\x00\x00\x00\x00\x00\x00(N\x8c\rtrack_segment\x94\x8c\x05psm_1\x94\x85\x94}\x94t\x94.", "\x80\x05\x95\x19\x00\x00\x00\x00\x00\x00\x00\x8c\x07#RETURN\x94]\x94(\x8c\x01a\x94\x8c\x01b\x94e\x86\x94."},
	} {
		r, err := decodeRequest([]byte(p.request), requestOpcodes)
		if err != nil || r.method != "track_segment" || r.segment() != "psm_1" {
			t.Errorf("protocol %d: request %v, %v", protocol, r, err)
		}
		value, err := decodeReply([]byte(p.reply))
		if err != nil {
			t.Errorf("protocol %d: %v", protocol, err)
			continue
		}
		if names, err := strs(value); err != nil || strings.Join(names, " ") != "a b" {
			t.Errorf("protocol %d: reply %q, %v", protocol, names, err)
		}
	}
}

// A pickler writes an object that occurs twice as a reference to the memo.
func TestMemo(t *testing.T) {
	value, err := decodeReply([]byte("\x80\x04\x8c\x07#RETURN\x94]\x94(\x8c\x01a\x94h\x02j\x02\x00\x00\x00e\x86."))
	if err != nil {
		t.Fatal(err)
	}
	if names, err := strs(value); err != nil || strings.Join(names, " ") != "a a a" {
		t.Errorf("read %q, %v", names, err)
	}
}

func TestMalformedRequests(t *testing.T) {
	for what, tc := range map[string]struct{ pickle, exception string }{
		"nothing":          {"", "_pickle.UnpicklingError: pickle data was truncated"},
		"no STOP":          {"(N", "_pickle.UnpicklingError: pickle data was truncated"},
		"text":             {"hello", `_pickle.UnpicklingError: `},
		"no opcode":        {"N\xff", `_pickle.UnpicklingError: invalid load key, '\xff'.`},
		"a call":           {"cos\nsystem\n(Vtrue\ntR.", "TypeError: cannot unpack non-iterable os.system object"},
		"a call, newer":    {"\x8c\x02os\x8c\x06system\x93)R.", "TypeError: cannot unpack non-iterable os.system object"},
		"nothing on stack": {".", "_pickle.UnpicklingError: "},
		"no mark":          {"Nt.", "_pickle.UnpicklingError: "},
		"a mark":           {"(.", "_pickle.UnpicklingError: "},
		"not a tuple":      {"K\x05.", "TypeError: cannot unpack non-iterable int object"},
		"None":             {"N.", "TypeError: cannot unpack non-iterable NoneType object"},
		"too few":          {"(NNNt.", "ValueError: not enough values to unpack (expected 4, got 3)"},
		"too many":         {"(NNN}Nt.", "ValueError: too many values to unpack (expected 4)"},
		"method":           {"(NK\x05)}t.", "TypeError: the method is int, not str"},
		"arguments":        {"(N\x8c\x01aK\x05}t.", "TypeError: Value after * must be an iterable, not int"},
		"keywords":         {"(N\x8c\x01a)Nt.", "TypeError: argument after ** must be a mapping, not NoneType"},
		"protocol 6":       {"\x80\x06(N\x8c\x01a)}t.", "_pickle.UnpicklingError: "},
		"memo":             {"h\x05.", "_pickle.UnpicklingError: "},
		"a list of itself": {"]\x94h\x00a.", "_pickle.UnpicklingError: pickle: unmarshal: at byte 0: recursive value"},
		"a long int":       {"I" + strings.Repeat("9", 5000) + "\n.", "_pickle.UnpicklingError: pickle: unmarshal: opcode INT at byte 0: limit exceeded: an int of 5000 decimal digits"},
		"many opcodes":     {strings.Repeat("N", requestOpcodes) + ".", "_pickle.UnpicklingError: pickle: unmarshal: opcode STOP at byte 255: limit exceeded: more than 255 opcodes"},
	} {
		r, err := decodeRequest([]byte(tc.pickle), requestOpcodes)
		var raised *exception
		if !errors.As(err, &raised) || !strings.HasPrefix(err.Error(), tc.exception) {
			t.Errorf("%s: %v, %v, want %s", what, r, err, tc.exception)
		}
	}
	// CPython takes these, too.
	for what, payload := range map[string]string{
		"a list of arguments": "(N\x8c\x01a]\x8c\x01xa}t.",
		"a list of fields":    "](N\x8c\x01a\x8c\x01x\x85}e.",
		"an id":               "(\x8c\x02id\x8c\x01a(\x8c\x01xt}t.",
	} {
		if r, err := decodeRequest([]byte(payload), requestOpcodes); err != nil || r.method != "a" || r.segment() != "x" {
			t.Errorf("%s: %v, %v", what, r, err)
		}
	}
}

func TestMalformedReplies(t *testing.T) {
	for what, payload := range map[string]string{
		"nothing":      "",
		"not a tuple":  "N.",
		"not a pair":   "N\x85.",
		"not a kind":   "N\x8c\x01a\x86.",
		"a list":       "]N\x86.",
		"unknown kind": "\x8c\x01aN\x86.",
		"no text":      "\x8c\x0a#TRACEBACKN\x86.",
	} {
		if value, err := decodeReply([]byte(payload)); err == nil {
			t.Errorf("%s: %v", what, value)
		}
	}
	for what, value := range map[string]any{
		"None": nil, "a str": "a", "ints": []any{"a", int64(1)}, "nested": []any{[]any{}},
	} {
		if names, err := strs(value); err == nil {
			t.Errorf("%s: %q", what, names)
		}
	}
}

// A pickle can read a list back from the memo and append to it, again and again. The
// list must not be copied each time.
func TestExpensivePickle(t *testing.T) {
	const n = 16 << 10
	payload := "(" + strings.Repeat("N", n) + "l\x94" + strings.Repeat("0h\x00Na", 200) + "."
	var value any
	var err error
	const limit = 4 << 20
	allocated := alloctest.Least(limit, func() { value, err = decode([]byte(payload), replyOpcodes) })
	if err != nil || len(value.([]any)) != n+200 || allocated > limit {
		t.Errorf("%v, after allocating %d bytes", err, allocated)
	}
}

// FuzzRequest reads hostile pickles, as a server and as a client: no panic, no
// hang, no memory out of proportion, and a reply that the client can read.
func FuzzRequest(f *testing.F) {
	for _, seed := range [][]byte{
		encodeRequest("dummy"), encodeRequest("track_segment", "psm_1"),
		encodeReply(kindReturn, nil), encodeReply(kindReturn, []string{"a", "b"}), encodeReply(kindTraceback, "x"),
		[]byte("(NVtrack_segment\np0\n(Vpsm_1\np1\ntp2\n(dp3\ntp4\n."), []byte("(V#RETURN\np0\nI0\ntp1\n."),
		[]byte("\x80\x02(NX\r\x00\x00\x00track_segmentq\x00X\x05\x00\x00\x00psm_1q\x01\x85q\x02}q\x03tq\x04."),
		[]byte("(NNNNld2eh\x00h\x00aus0."), []byte("V\\u\x80\x00\x1b\n"), []byte("cos\x1b\nsystem\n)R."), []byte("(I01\nI99999999999999999999\nM\x00\x00J\x00\x00\x00\x00t."),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, pickle []byte) {
		if len(pickle) > maxRequest {
			return
		}
		start := time.Now()
		r, requestErr := decodeRequest(pickle, anyOpcodes)
		value, replyErr := decodeReply(pickle)
		if took := time.Since(start); took > 5*time.Second {
			t.Fatalf("took %v", took)
		}
		if replyErr == nil {
			strs(value)
		}
		for _, err := range []error{requestErr, replyErr} {
			if err != nil {
				testkit.CheckPrintable(t, err)
			}
		}
		if requestErr == nil {
			_, requestErr = (&session{}).call(request{method: "no " + r.method, args: r.args})
		}
		reply := encodeReply(kindTraceback, traceback(requestErr, r.segment()))
		var raised *RemoteError
		if _, err := decodeReply(reply); !errors.As(err, &raised) || !bytes.Contains(reply, []byte(raised.Traceback)) {
			t.Fatalf("the reply %q is read as %v", reply, err)
		}
	})
}
