package main

import (
	"strings"
	"testing"
)

func TestCut(t *testing.T) {
	for _, test := range []struct {
		text  string
		width int
		want  string
	}{
		{"text", 4, "text"}, {"texts", 4, "t..."}, {"text", 2, ".."}, {"text", 0, ""}, {"text", -1, ""},
		{"日本語", 6, "日本語"}, {"日本語", 5, "日..."}, {"日本語", 4, "..."},
		{"e\u0301e\u0301e\u0301", 3, "e\u0301e\u0301e\u0301"}, {"😀😀", 4, "😀😀"},
	} {
		if got := cut(test.text, test.width); got != test.want {
			t.Errorf("cut(%q, %d) = %q, want %q", test.text, test.width, got, test.want)
		}
	}
}

func TestFold(t *testing.T) {
	got := strings.Join(fold("one two  three averyveryverylongword four", 9), "|")
	if want := "one two|three|averyveryverylongword|four"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestSpan compares parts of 5 items with slice(FIRST, END).indices(5) in Python.
func TestSpan(t *testing.T) {
	for arg, want := range map[string][2]int{
		":": {0, 5}, "1:3": {1, 3}, "-2:": {3, 5}, ":-4": {0, 1}, "3:1": {3, 3}, "9:": {5, 5}, "-9:9": {0, 5},
		"0:99999999999999999999": {0, 5}, "-99999999999999999999:": {0, 5},
	} {
		s, err := parseSpan(arg)
		if err != nil {
			t.Fatal(err)
		}
		if first, end := s.of(5); first != want[0] || end != want[1] {
			t.Errorf("%s is %d:%d, want %d:%d", arg, first, end, want[0], want[1])
		}
	}
	for _, arg := range []string{"", "1", "a:", "1:2:3", ":b", "1.0:"} {
		if _, err := parseSpan(arg); err == nil {
			t.Errorf("%q is accepted", arg)
		}
	}
}
