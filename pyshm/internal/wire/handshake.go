package wire

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
)

// ErrAuth is in the error when the peer has another key, or when the peer cannot prove
// that it has the same key with any digest that may be used here.
var ErrAuth = errors.New("authentication failed")

var (
	errTheirKey = fmt.Errorf("%w: the peer does not know the key", ErrAuth)
	errOurKey   = fmt.Errorf("%w: the peer refused the key", ErrAuth)
	errOnlyMD5  = fmt.Errorf("%w: the peer uses HMAC-MD5, like CPython 3.11 and earlier, which FIPS 140-only mode forbids", ErrAuth)
)

// The frames of a handshake. Each side challenges the other, the server first:
//
//	server                client
//	#CHALLENGE# M1  --->
//	                <---  the MAC of M1
//	#WELCOME#       --->              or #FAILURE#
//	                <---  #CHALLENGE# M2
//	the MAC of M2   --->
//	                <---  #WELCOME#   or #FAILURE#
//
// From CPython 3.12 on, M1 and M2 are the name of a digest in braces and 40 random
// bytes, and the MAC begins with the name of the digest that made it. Earlier versions
// send 20 random bytes, and reply to any challenge with 16 bytes of HMAC-MD5. Every
// version understands a peer of the other kind.
var (
	challengePrefix = []byte("#CHALLENGE#")
	welcome         = []byte("#WELCOME#")
	failure         = []byte("#FAILURE#")
)

const (
	// HandshakeLimit is the length of the longest payload, in bytes, that this side
	// reads from a peer before the peer has proved that it knows the key.
	HandshakeLimit = 256

	nonceLen = 40
)

// AuthenticateServer goes through the handshake with a client. The client calls
// CPython's Client or [AuthenticateClient].
func AuthenticateServer(rw io.ReadWriter, key []byte) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	if err := challenge(rw, key); err != nil {
		return err
	}
	return answerChallenge(rw, key)
}

// AuthenticateClient goes through the handshake with a server.
func AuthenticateClient(rw io.ReadWriter, key []byte) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	if err := answerChallenge(rw, key); err != nil {
		return err
	}
	return challenge(rw, key)
}

// challenge has the peer prove that it knows the key.
func challenge(rw io.ReadWriter, key []byte) error {
	message := make([]byte, nonceLen)
	rand.Read(message)
	message = append([]byte("{"+defaultDigest+"}"), message...)
	if err := WriteFrame(rw, append(challengePrefix[:len(challengePrefix):len(challengePrefix)], message...)); err != nil {
		return err
	}
	answer, err := readHandshake(rw)
	if err != nil {
		return err
	}
	if err := verify(answer, key, message); err != nil {
		// Report this error, even if the peer is already gone.
		_ = WriteFrame(rw, failure)
		return err
	}
	return WriteFrame(rw, welcome)
}

// answerChallenge proves to the peer that this side knows the key.
func answerChallenge(rw io.ReadWriter, key []byte) error {
	frame, err := readHandshake(rw)
	if err != nil {
		return err
	}
	message, ok := bytes.CutPrefix(frame, challengePrefix)
	if !ok {
		return fmt.Errorf("%w: expected a challenge, not %.40q", ErrProtocol, frame)
	}
	answer, err := answerTo(message, key)
	if err != nil {
		return err
	}
	if err := WriteFrame(rw, answer); err != nil {
		return err
	}
	verdict, err := readHandshake(rw)
	switch {
	case err != nil:
		return err
	case bytes.Equal(verdict, welcome):
		return nil
	case bytes.Equal(verdict, failure):
		return errOurKey
	}
	return fmt.Errorf("%w: expected a verdict, not %.40q", ErrProtocol, verdict)
}

// answerTo computes the answer to a challenge, as CPython 3.12 and later do.
func answerTo(message, key []byte) ([]byte, error) {
	if len(message) == legacyChallengeLen {
		if !available(legacyDigest) {
			return nil, errOnlyMD5
		}
		return mac(legacyDigest, key, message), nil
	}
	digest, _, ok := cutDigest(message)
	if !ok || len(message) < legacyChallengeLen {
		return nil, fmt.Errorf("%w: a challenge of %d bytes without a digest known here", ErrProtocol, len(message))
	}
	return append([]byte("{"+digest+"}"), mac(digest, key, message)...), nil
}

// readHandshake reads a frame of the handshake. The stream must not end before it.
func readHandshake(r io.Reader) ([]byte, error) {
	frame, err := ReadFrame(r, HandshakeLimit)
	if errors.Is(err, ErrTooLong) {
		return nil, fmt.Errorf("%w: in the handshake: %w", ErrProtocol, err)
	}
	return frame, unexpectedEOF(err)
}
