package main

import (
	"encoding/json"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"pgregory.net/rapid"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/internal/testkit"
	"github.com/pyshm-go/pyshm/pyshm"
)

func harmless(r rune) bool { return unicode.IsPrint(r) }

// TestShownIsHarmless looks at names that could make a terminal do something.
func TestShownIsHarmless(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := string(rapid.SliceOf(rapid.Byte()).Draw(t, "name"))
		s := shown(name)
		if strings.ContainsFunc(s, func(r rune) bool { return !harmless(r) }) {
			t.Fatalf("shown(%q) = %q", name, s)
		}
		if unquoted, err := strconv.Unquote(s); s != name && (err != nil || unquoted != name) {
			t.Fatalf("shown(%q) = %s, which is %q, %v", name, s, unquoted, err)
		}
	})
}

// TestItemJSON checks every kind: nothing to harm a terminal, and the value
// comes back, from repr always and from value where JSON can spell it.
func TestItemJSON(t *testing.T) {
	values := rapid.OneOf(
		rapid.Map(rapid.Int64(), func(v int64) any { return v }),
		rapid.Map(rapid.Float64(), func(v float64) any { return v }),
		rapid.SampledFrom([]any{nil, true, false, math.NaN(), math.Inf(1), math.Copysign(0, -1), 1e16, "\x7f\u009b\u202e\U000e0001"}),
		rapid.Map(rapid.String(), func(v string) any { return v }),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(v []byte) any { return v }),
	)
	rapid.Check(t, func(t *rapid.T) {
		v := values.Draw(t, "value")
		line, err := toJSON(newItem(7, v))
		if err != nil || strings.ContainsFunc(string(line), func(r rune) bool { return !harmless(r) }) {
			t.Fatalf("%#v: %q, %v", v, line, err)
		}
		var got struct {
			Value json.RawMessage
			Repr  string
		}
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if back, err := format.ParseRepr(got.Repr); err != nil || format.Repr(back) != format.Repr(v) {
			t.Fatalf("%#v: repr is %s, which is %#v, %v", v, got.Repr, back, err)
		}
		if back := decode(t, v, got.Value); format.Repr(back) != format.Repr(v) {
			t.Fatalf("%#v: value is %s, which is %#v", v, got.Value, back)
		}
	})
}

// decode reads JSON into a value of v's kind.
func decode(t *rapid.T, v any, raw json.RawMessage) any {
	read := func(into any) {
		if err := json.Unmarshal(raw, into); err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
	}
	switch v := v.(type) {
	case int64:
		var n int64
		read(&n)
		return n
	case float64:
		if string(raw) == "null" && (math.IsNaN(v) || math.IsInf(v, 0)) {
			return v
		}
		var f float64
		read(&f)
		return f
	case []byte:
		var b []byte
		read(&b)
		return b
	default:
		var other any
		read(&other)
		return other
	}
}

func TestAge(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Hour:                    "0s",
		0:                             "0s",
		59999 * time.Millisecond:      "59s",
		time.Minute:                   "1m",
		time.Hour - 1:                 "59m",
		23*time.Hour + 59*time.Minute: "23h",
		24 * time.Hour:                "1d",
		1000 * 24 * time.Hour:         "1000d",
	} {
		if got := age(d); got != want {
			t.Errorf("age(%v) = %s, want %s", d, got, want)
		}
	}
}

func TestByteSize(t *testing.T) {
	for text, want := range map[string]int{
		"1": 1, "4096": 4096, "64K": 64 << 10, "1M": 1 << 20, "1G": 1 << 30, "007": 7,
		strconv.Itoa(math.MaxInt):             math.MaxInt,
		strconv.Itoa(math.MaxInt>>10) + "K":   math.MaxInt >> 10 << 10,
		strconv.Itoa(math.MaxInt>>10+1) + "K": 0, strconv.Itoa(math.MaxInt) + "0": 0,
		"": 0, "0": 0, "0K": 0, "K": 0, "KK": 0, "1KK": 0, "1KM": 0, "-1": 0, "+1": 0, "1.5M": 0,
		"1k": 0, "1T": 0, "1 K": 0, " 1": 0, "0x10": 0, "1_0": 0,
	} {
		var size byteSize
		if err := size.Set(text); int(size) != want || (err == nil) != (want > 0) {
			t.Errorf("%q is %d, %v; want %d", text, size, err, want)
		}
	}
}

// An offset may be beyond every segment of a 32-bit program. A size that it cannot have is
// refused for this reason.
func TestBytesBeyondInt(t *testing.T) {
	for text, want := range map[string]int64{
		"3G": 3 << 30, "5000000000": 5_000_000_000, strconv.FormatInt(math.MaxInt64, 10): math.MaxInt64,
	} {
		var offset byteCount
		if err := offset.Set(text); int64(offset) != want || offset.String() != strconv.FormatInt(want, 10) || err != nil {
			t.Errorf("offset %q is %v, %v; want %d", text, &offset, err, want)
		}
		var size byteSize
		err := size.Set(text)
		switch {
		case want <= math.MaxInt && (int64(size) != want || err != nil):
			t.Errorf("size %q is %v, %v; want %d", text, &size, err, want)
		case want > math.MaxInt && (err == nil || !strings.Contains(err.Error(), "at most 2147483647 bytes")):
			t.Errorf("size %q is %v, %v", text, &size, err)
		}
	}
	m, err := pyshm.Create(testkit.Name(t), 100)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	defer m.Unlink()
	for what, err := range map[string]error{
		"read":  readRange{m: m, offset: 3 << 30, count: -1}.copyBytes(io.Discard),
		"write": write(m, 3<<30, strings.NewReader("x")),
	} {
		if err == nil || !strings.Contains(err.Error(), "--offset 3221225472 is beyond its 100 bytes") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := (readRange{m: m, count: 5 << 30}).copyBytes(io.Discard); err == nil || !strings.Contains(err.Error(), "--count 5368709120 is too many") {
		t.Errorf("count: %v", err)
	}
}
