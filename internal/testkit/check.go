package testkit

import (
	"context"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// Check ends the test if there is an error.
func Check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Must returns v unless there is an error, which ends the test:
//
//	segment := testkit.Must(pyshm.Attach(name))(t)
func Must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		Check(t, err)
		return v
	}
}

// CheckPrintable fails the test if the text of an error can harm a terminal or a log:
// if it is not valid UTF-8, has control characters or line ends, or is longer than 1000
// bytes. Errors quote what other processes wrote.
func CheckPrintable(t testing.TB, err error) {
	t.Helper()
	text := err.Error()
	if len(text) > 1000 || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("an error to harm a terminal: %q", text)
	}
}

// Patience is how long Eventually waits.
const Patience = 20 * time.Second

// Eventually waits until a condition holds, and looks every millisecond. It ends the
// test if the condition does not hold within Patience.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(Patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, Patience)
		}
	}
}

// Within returns a context that ends after d, or with the test.
func Within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
