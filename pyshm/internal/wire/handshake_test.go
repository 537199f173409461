package wire

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/pyshm-go/pyshm/internal/testkit"
)

var key = []byte("secret")

// The challenges and answers of four sessions between real interpreters, with
// the key above.
var captured = []struct{ session, challenge, answer string }{
	{
		"3.8 to 3.8",
		"641301ada102df4be6cd832d50e65994c1ecedcd",
		"7cf5d084342b0f96ce1414a028d91526",
	},
	{
		"3.13 to 3.13",
		"7b7368613235367def35e39f0d6eacf5210fd726c795242313db4f35615cf1320aff012ac9ed8657c82c8637362c149f",
		"7b7368613235367dbf9d58e429bcc50dc051a40f0e0f1207c8764000f6539fb62879473a5ffd9509",
	},
	{
		"3.13 to 3.8",
		"7b7368613235367de65b4913d67a92f20f67b4c8b3967f0d45c6f3e8cdab3632ae7168a3b9e6e8eb6b06629ecdd73e86",
		"6566dae6a1ff6063eb23344823416b7b",
	},
	{
		"3.8 to 3.13",
		"1511b2aaee9c209c7c94e0b585352fe616917d35",
		"a16e7aef4ec02107742f70f360e676ba",
	},
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCapturedSessions(t *testing.T) {
	for _, c := range captured {
		challenge, answer := unhex(t, c.challenge), unhex(t, c.answer)
		if err := verify(answer, key, challenge); err != nil {
			t.Errorf("%s: %v", c.session, err)
		}
		if err := verify(answer, []byte("other"), challenge); !errors.Is(err, ErrAuth) {
			t.Errorf("%s, with another key: %v", c.session, err)
		}
		if c.session == "3.13 to 3.8" {
			continue // an answer that only 3.11 and earlier give
		}
		if got, err := answerTo(challenge, key); err != nil || !bytes.Equal(got, answer) {
			t.Errorf("%s: answered %x, %v", c.session, got, err)
		}
	}
}

func keyed(h func() hash.Hash, message string) string {
	m := hmac.New(h, key)
	io.WriteString(m, message)
	return string(m.Sum(nil))
}

func TestAnswersToEveryDigest(t *testing.T) {
	nonce := strings.Repeat("n", nonceLen)
	for name, h := range digests {
		message := "{" + name + "}" + nonce
		want := "{" + name + "}" + keyed(h, message)
		if got, err := answerTo([]byte(message), key); err != nil || string(got) != want {
			t.Errorf("%s: answered %x, %v", name, got, err)
		}
		// A peer may answer with another digest than the one in the challenge.
		for _, answer := range []string{want, "{md5}" + keyed(md5.New, message)} {
			if err := verify([]byte(answer), key, []byte(message)); err != nil {
				t.Errorf("%s: answer %q: %v", name, answer, err)
			}
		}
	}
	legacy := "{sha256}" + strings.Repeat("n", 12) // 20 bytes are legacy, prefix or not
	if got, err := answerTo([]byte(legacy), key); err != nil || string(got) != keyed(md5.New, legacy) {
		t.Errorf("a legacy challenge: answered %x, %v", got, err)
	}
}

func TestChallengesRefused(t *testing.T) {
	nonce := strings.Repeat("n", nonceLen)
	for _, message := range []string{
		"", "short", strings.Repeat("n", 16), strings.Repeat("n", 19), "{sha256}" + "12345678901",
		nonce, "{sha512}" + nonce, "{sha1}" + nonce, "{" + nonce, "{}" + nonce, "sha256}" + nonce,
	} {
		if got, err := answerTo([]byte(message), key); !errors.Is(err, ErrProtocol) {
			t.Errorf("%q: answered %x, %v", message, got, err)
		}
	}
}

func TestAnswersRefused(t *testing.T) {
	payload := strings.Repeat("n", nonceLen)
	message := "{sha256}" + payload
	for _, answer := range []string{
		"",
		"{sha256}",
		"{md5}",
		strings.Repeat("\x00", 16),
		strings.Repeat("\x00", 20),
		"{sha256}" + strings.Repeat("\x00", 32),
		"{sha256}" + keyed(sha256.New, payload), // without the prefix
		"{sha256}" + keyed(sha256.New, message)[:31],
		"{sha256}" + keyed(sha256.New, message) + "x",
		"{sha512}" + keyed(sha512.New, message),
		"{sha1}" + keyed(sha1.New, message),
		keyed(sha256.New, message),
		keyed(sha1.New, message),
		"{md5}" + keyed(sha256.New, message),
		message,
	} {
		if err := verify([]byte(answer), key, []byte(message)); err != errTheirKey {
			t.Errorf("%q: %v", answer, err)
		}
	}
}

// A legacyPeer behaves like CPython 3.11 and earlier.
type legacyPeer struct{ key []byte }

func (p legacyPeer) challenge(rw io.ReadWriter) error {
	message := make([]byte, legacyChallengeLen)
	rand.Read(message)
	if err := WriteFrame(rw, append([]byte("#CHALLENGE#"), message...)); err != nil {
		return err
	}
	answer, err := ReadFrame(rw, HandshakeLimit)
	if err != nil {
		return err
	}
	if !hmac.Equal(answer, mac("md5", p.key, message)) {
		WriteFrame(rw, failure)
		return errTheirKey
	}
	return WriteFrame(rw, welcome)
}

func (p legacyPeer) answer(rw io.ReadWriter) error {
	message, err := ReadFrame(rw, HandshakeLimit)
	if err != nil {
		return err
	}
	if err := WriteFrame(rw, mac("md5", p.key, message[len("#CHALLENGE#"):])); err != nil {
		return err
	}
	if verdict, err := ReadFrame(rw, HandshakeLimit); err != nil || !bytes.Equal(verdict, welcome) {
		return errors.Join(errOurKey, err)
	}
	return nil
}

func (p legacyPeer) server(rw io.ReadWriter, _ []byte) error {
	return errors.Join(p.challenge(rw), p.answer(rw))
}

func (p legacyPeer) client(rw io.ReadWriter, _ []byte) error {
	return errors.Join(p.answer(rw), p.challenge(rw))
}

// handshake runs both sides on a pipe, each until it returns.
func handshake(server, client func(io.ReadWriter, []byte) error, serverKey, clientKey []byte) (serverErr, clientErr error) {
	s, c := net.Pipe()
	done := make(chan struct{})
	go func() {
		serverErr = server(s, serverKey)
		s.Close()
		close(done)
	}()
	clientErr = client(c, clientKey)
	c.Close()
	<-done
	return serverErr, clientErr
}

func TestHandshake(t *testing.T) {
	legacy := legacyPeer{key}
	for _, tc := range []struct {
		what           string
		server, client func(io.ReadWriter, []byte) error
	}{
		{"with itself", AuthenticateServer, AuthenticateClient},
		{"legacy client", AuthenticateServer, legacy.client},
		{"legacy server", legacy.server, AuthenticateClient},
	} {
		if s, c := handshake(tc.server, tc.client, key, key); s != nil || c != nil {
			t.Errorf("%s: server %v, client %v", tc.what, s, c)
		}
	}
}

func TestHandshakeWrongKey(t *testing.T) {
	for _, other := range []string{"", "Secret", "secret ", "secre"} {
		legacy := legacyPeer{[]byte(other)}
		for what, side := range map[string]func(io.ReadWriter, []byte) error{
			"itself": AuthenticateClient, "a legacy client": legacy.client,
		} {
			s, c := handshake(AuthenticateServer, side, key, []byte(other))
			if !errors.Is(s, ErrAuth) || !errors.Is(c, ErrAuth) {
				t.Errorf("key %q, with %s: server %v, client %v", other, what, s, c)
			}
			if s != nil && strings.Contains(s.Error(), string(key)) {
				t.Errorf("the key is in the error %v", s)
			}
		}
		if s, c := handshake(legacy.server, AuthenticateClient, nil, key); !errors.Is(c, ErrAuth) {
			t.Errorf("key %q, with a legacy server: server %v, client %v", other, s, c)
		}
	}
}

// A server that does not know the key must not get around the proof.
func TestClientInsistsOnItsChallenge(t *testing.T) {
	impostor := func(rw io.ReadWriter, _ []byte) error {
		WriteFrame(rw, append([]byte("#CHALLENGE#{sha256}"), make([]byte, nonceLen)...))
		ReadFrame(rw, HandshakeLimit) // the client's answer
		WriteFrame(rw, welcome)
		ReadFrame(rw, HandshakeLimit) // its challenge
		WriteFrame(rw, welcome)
		verdict, err := ReadFrame(rw, HandshakeLimit)
		if !bytes.Equal(verdict, failure) {
			t.Errorf("the verdict was %q, %v", verdict, err)
		}
		return nil
	}
	if _, err := handshake(impostor, AuthenticateClient, nil, key); !errors.Is(err, ErrAuth) {
		t.Errorf("client: %v", err)
	}
}

func TestPeerOfAnotherProtocol(t *testing.T) {
	for what, stream := range map[string]string{
		"a banner":          "SSH-2.0-OpenSSH_9.2\r\n",
		"no challenge":      "\x00\x00\x00\x05HELLO",
		"too long":          "\x00\x00\x01\x01",
		"verdict unknown":   "\x00\x00\x00\x1f#CHALLENGE#12345678901234567890\x00\x00\x00\x02OK",
		"challenge unknown": "\x00\x00\x00\x1b#CHALLENGE#1234567890123456",
	} {
		rw := struct {
			io.Reader
			io.Writer
		}{strings.NewReader(stream), io.Discard}
		if err := AuthenticateClient(rw, key); !errors.Is(err, ErrProtocol) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestPeerGoneInHandshake(t *testing.T) {
	rw := struct {
		io.Reader
		io.Writer
	}{strings.NewReader(""), io.Discard}
	for what, side := range map[string]func(io.ReadWriter, []byte) error{
		"server": AuthenticateServer, "client": AuthenticateClient,
	} {
		if err := side(rw, key); err != io.ErrUnexpectedEOF {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestChallengesDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		var sent bytes.Buffer
		challenge(struct {
			io.Reader
			io.Writer
		}{strings.NewReader(""), &sent}, key)
		frame := sent.String()
		if !strings.HasPrefix(frame, "\x00\x00\x00\x3b#CHALLENGE#{sha256}") || len(frame) != 4+0x3b || seen[frame] {
			t.Fatalf("challenge %q", frame)
		}
		seen[frame] = true
	}
}

// FuzzHandshake sends bytes from the outside to either side. Neither side may accept
// them, panic, or wait for more after the stream has ended.
func FuzzHandshake(f *testing.F) {
	for _, c := range captured {
		challenge, answer := unhex(f, c.challenge), unhex(f, c.answer)
		var session bytes.Buffer
		WriteFrame(&session, append([]byte("#CHALLENGE#"), challenge...))
		WriteFrame(&session, welcome)
		WriteFrame(&session, answer)
		f.Add(session.Bytes())
		session.Reset()
		WriteFrame(&session, answer)
		WriteFrame(&session, append([]byte("#CHALLENGE#"), challenge...))
		WriteFrame(&session, welcome)
		f.Add(session.Bytes())
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		for _, side := range []func(io.ReadWriter, []byte) error{AuthenticateServer, AuthenticateClient} {
			start := time.Now()
			rw := struct {
				io.Reader
				io.Writer
			}{bytes.NewReader(stream), io.Discard}
			err := side(rw, key)
			if err == nil {
				t.Fatal("accepted")
			}
			testkit.CheckPrintable(t, err)
			if took := time.Since(start); took > 5*time.Second {
				t.Fatalf("took %v", took)
			}
		}
	})
}
