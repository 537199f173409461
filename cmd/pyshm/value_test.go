package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/pyshm-go/pyshm/format"
	"github.com/pyshm-go/pyshm/format/pickle"
)

func TestParseValue(t *testing.T) {
	for text, want := range map[string]string{
		" 1 ": "1", "(1)": "1", "(1,)": "(1,)", "()": "()", "( 1 , 'a,)' )": "(1, 'a,)')",
		"{}": "{}", "set()": "set()", "{1, 2,}": "{1, 2}", "{'a' : {'b': b'}\\''}}": `{'a': {'b': b'}\''}}`,
		"[[], [[1.5], None,], True]": "[[], [[1.5], None], True]",
		"99999999999999999999":       "99999999999999999999", "[-99999999999999999999]": "[-99999999999999999999]",
		strings.Repeat("[", 100) + strings.Repeat("]", 100): "",
	} {
		v, err := parseValue(text)
		if got := pickle.Repr(v, 1000); err != nil || want != "" && got != want {
			t.Errorf("%s: %s, %v, want %s", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"": "offset 0: expected a literal, not end", "(": "offset 1: expected a literal, not end",
		"(1": "expected ',' or ')', not end", "[1 2]": "offset 3: expected ',' or ']', not '2'",
		"{1: 2, 3}": "offset 8: expected ':', not '}'", "{1, 2: 3}": "offset 5: expected ',' or '}', not ':'",
		"1]": "offset 1: expected the end, not ']'", "1\x00": "offset 1: unexpected", "[a]": "offset 1: ", "{'a': 'b}": "offset 6: ",
		strings.Repeat("[", 101) + strings.Repeat("]", 101): "more than 100 values in one another",
		"x()": "is not a Python literal", "[,]": "offset 1: expected a literal, not ','",
	} {
		if v, err := parseValue(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v, want %s", text, v, err, want)
		}
	}
	if _, err := parseValue("{[]: 1}"); !errors.Is(err, pickle.ErrKey) {
		t.Error(err)
	}
	if _, err := parseValue(strings.Repeat("9", maxDigits+1)); !errors.Is(err, format.ErrRange) {
		t.Error(err)
	}
}
