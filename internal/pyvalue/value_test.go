package pyvalue_test

import (
	"math"
	"math/big"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/pyshm-go/pyshm/internal/pyvalue"
	"github.com/pyshm-go/pyshm/internal/testkit"
)

func TestValueSpelling(t *testing.T) {
	twoTo64 := new(big.Int).Lsh(big.NewInt(1), 64)
	for _, test := range []struct {
		value   any
		spelled string
		decoded any // where it differs from value
	}{
		{value: int64(-2), spelled: `{"int":"-2"}`},
		{value: 7, spelled: `{"int":"7"}`, decoded: int64(7)},
		{value: uint8(7), spelled: `{"int":"7"}`, decoded: int64(7)},
		{value: int64(math.MinInt64), spelled: `{"int":"-9223372036854775808"}`},
		{value: uint64(1 << 63), spelled: `{"int":"9223372036854775808"}`, decoded: new(big.Int).Lsh(big.NewInt(1), 63)},
		{value: twoTo64, spelled: `{"int":"18446744073709551616"}`},
		{value: 1.5, spelled: `{"float":"3ff8000000000000"}`},
		{value: float32(0.5), spelled: `{"float":"3fe0000000000000"}`, decoded: 0.5},
		{value: math.Copysign(0, -1), spelled: `{"float":"8000000000000000"}`},
		{value: math.Inf(1), spelled: `{"float":"7ff0000000000000"}`},
		{value: math.Float64frombits(0xfff8000000001234), spelled: `{"float":"fff8000000001234"}`},
		{value: true, spelled: `{"bool":true}`},
		{value: false, spelled: `{"bool":false}`},
		{value: nil, spelled: `{"none":null}`},
		{value: "hé\x00\U0001F600", spelled: `{"str":"hé\u0000😀"}`},
		{value: "\uFFFD \\ud800", spelled: "{\"str\":\"\uFFFD \\\\ud800\"}"},
		{value: []byte("\x00\xff"), spelled: `{"bytes":"00ff"}`},
		{value: []byte{}, spelled: `{"bytes":""}`},
		{value: []any{}, spelled: `[]`},
		{value: []any{int64(1), []any{nil}}, spelled: `[{"int":"1"},[{"none":null}]]`},
	} {
		spelled, err := pyvalue.Append(nil, test.value)
		if err != nil || string(spelled) != test.spelled {
			t.Errorf("Append(%v) = %s, %v; want %s", test.value, spelled, err, test.spelled)
		}
		want := test.decoded
		if want == nil {
			want = test.value
		}
		got, err := pyvalue.Decode([]byte(test.spelled))
		if diff := cmp.Diff(want, got, testkit.SameValue); err != nil || diff != "" {
			t.Errorf("Decode(%s): %v\n%s", test.spelled, err, diff)
		}
	}
}

func TestAppendRefuses(t *testing.T) {
	for _, v := range []any{"\xff", complex(1, 2), struct{}{}, []any{1, "\xff"}, []int{1}} {
		if spelled, err := pyvalue.Append(nil, v); err == nil {
			t.Errorf("Append(%#v) = %s, want an error", v, spelled)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	for _, spelled := range []string{
		``, `5`, `null`, `"a"`, `{}`, `{"int":"1","bool":true}`, `{"long":"1"}`,
		`{"int":1}`, `{"int":"0x1"}`, `{"int":"+1"}`, `{"int":"01"}`, `{"int":""}`, `{"int":null}`,
		`{"float":"0"}`, `{"float":1.5}`, `{"float":"+ff8000000000000"}`,
		`{"bool":null}`, `{"bool":1}`, `{"none":0}`, `{"bytes":"0"}`, `{"bytes":null}`,
		`{"str":"\ud800"}`, `{"str":"\udc00a"}`, `{"str":"\ud800\ud800"}`, `{"str":"a\ud800\\udc00"}`,
		`{"dict":null}`, `{"dict":{}}`, `{"dict":[{"int":"1"},{"int":"1"}]}`, `{"dict":[{"str":"a"}]}`,
		`{"dict":[{"str":"a"},{"none":null},{"str":"a"},{"none":null}]}`,
		"{\"str\":\"\xff\"}", `[{"int":"1"},5]`, `{"int":"1"} {}`,
	} {
		if v, err := pyvalue.Decode([]byte(spelled)); err == nil {
			t.Errorf("Decode(%s) = %#v, want an error", spelled, v)
		}
	}
}

func TestDecodeDict(t *testing.T) {
	for spelled, want := range map[string]any{
		`{"dict":[]}`: map[string]any{},
		`{"dict":[{"str":"a"},{"dict":[]},{"str":"\ufffd"},[{"int":"1"}]]}`: map[string]any{
			"a": map[string]any{}, "\ufffd": []any{int64(1)},
		},
	} {
		got, err := pyvalue.Decode([]byte(spelled))
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("Decode(%s): %v\n%s", spelled, err, diff)
		}
	}
}

func TestSurrogatePairIsOneCharacter(t *testing.T) {
	v, err := pyvalue.Decode([]byte(`{"str":"\ud83d\ude00\\"}`))
	if err != nil || v != "\U0001F600\\" {
		t.Errorf("Decode = %q, %v", v, err)
	}
}

func TestValuesRoundTrip(t *testing.T) {
	value := rapid.OneOf(
		rapid.Map(rapid.Int64(), func(v int64) any { return v }),
		rapid.Map(rapid.Uint64(), func(v uint64) any { return math.Float64frombits(v) }),
		rapid.Map(rapid.Bool(), func(v bool) any { return v }),
		rapid.Map(rapid.String(), func(v string) any { return v }),
		rapid.Map(rapid.SliceOf(rapid.Byte()), func(v []byte) any { return v }),
		rapid.Just[any](nil),
	)
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOf(value).Draw(t, "values")
		spelled, err := pyvalue.Append(nil, values)
		if err != nil {
			t.Fatal(err)
		}
		got, err := pyvalue.Decode(spelled)
		if diff := cmp.Diff(any(values), got, testkit.SameValue); err != nil || diff != "" {
			t.Fatalf("%s: %v\n%s", spelled, err, diff)
		}
	})
}
