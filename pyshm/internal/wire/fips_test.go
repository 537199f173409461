package wire

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/pyshm-go/pyshm/internal/testkit"
)

// In FIPS 140-only mode crypto/hmac panics on MD5 and on short keys. A peer must
// not be able to select either. The mode holds for the whole process.
func TestFIPSOnly(t *testing.T) {
	if !testkit.InFIPSOnlyMode(t) {
		return
	}
	key := []byte("a key of at least 14 bytes")
	challenge := func(message string) string {
		var frame bytes.Buffer
		WriteFrame(&frame, append([]byte("#CHALLENGE#"), message...))
		return frame.String()
	}
	for what, tc := range map[string]struct {
		side   func(io.ReadWriter, []byte) error
		key    []byte
		stream string
		want   error
	}{
		"an answer by MD5":       {AuthenticateServer, key, "\x00\x00\x00\x10" + strings.Repeat("x", 16), errOnlyMD5},
		"one that names it":      {AuthenticateServer, key, "\x00\x00\x00\x15{md5}" + strings.Repeat("x", 16), errTheirKey},
		"a legacy challenge":     {AuthenticateClient, key, challenge(strings.Repeat("n", 20)), errOnlyMD5},
		"a challenge to use MD5": {AuthenticateClient, key, challenge("{md5}" + strings.Repeat("n", 40)), ErrProtocol},
		"a server's short key":   {AuthenticateServer, key[:13], "", fs.ErrInvalid},
		"a client's short key":   {AuthenticateClient, key[:13], challenge("{sha256}" + strings.Repeat("n", 40)), fs.ErrInvalid},
	} {
		rw := struct {
			io.Reader
			io.Writer
		}{strings.NewReader(tc.stream), io.Discard}
		if err := tc.side(rw, tc.key); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", what, err, tc.want)
		}
	}
	for _, key := range [][]byte{key, key[:14]} {
		server, client := handshake(AuthenticateServer, AuthenticateClient, key, key)
		if server != nil || client != nil {
			t.Errorf("with itself: %v, %v", server, client)
		}
	}
	for name, h := range digests {
		if name == legacyDigest {
			continue
		}
		message := []byte("{" + name + "}" + strings.Repeat("n", nonceLen))
		answer, err := answerTo(message, key)
		if err != nil || verify(answer, key, message) != nil {
			t.Errorf("%s: %T: %v, %v", name, h(), err, verify(answer, key, message))
		}
	}
}
