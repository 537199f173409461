package main

import "testing"

func TestPattern(t *testing.T) {
	const want = "^(TestHelper|TestLength|TestMethod|TestRand|TestSeed|TestTable)$"
	if got, err := pattern("testdata", []string{"p", "q", "r"}); got != want || err != nil {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
	for _, folders := range [][]string{{"q"}, {"missing"}, nil} {
		if got, err := pattern("testdata", folders); err == nil {
			t.Errorf("%v: %s", folders, got)
		}
	}
}
