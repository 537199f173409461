package wire

import (
	"bytes"
	"crypto/fips140"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"fmt"
	"hash"
	"io/fs"
)

// digests holds the digests that CPython 3.12 and later accept by name. Earlier
// versions know no names and use MD5.
var digests = map[string]func() hash.Hash{
	"md5":      md5.New,
	"sha256":   sha256.New,
	"sha384":   sha512.New384,
	"sha3_256": func() hash.Hash { return sha3.New256() },
	"sha3_384": func() hash.Hash { return sha3.New384() },
}

const (
	defaultDigest = "sha256"
	legacyDigest  = "md5"

	// A challenge of this length is from CPython 3.11 or earlier, whatever its first
	// bytes are.
	legacyChallengeLen = 20
)

// fipsMinKey is the length of the shortest key with which crypto/hmac works in
// FIPS 140-only mode, in bytes.
const fipsMinKey = 112 / 8

// CheckKey returns [fs.ErrInvalid] if no handshake is possible with a key. In FIPS
// 140-only mode (GODEBUG=fips140=only) crypto/hmac panics on short keys, and on
// MD5.
func CheckKey(key []byte) error {
	if fips140.Enforced() && len(key) < fipsMinKey {
		return fmt.Errorf("%w: the key has %d bytes, FIPS 140-only mode requires at least %d", fs.ErrInvalid, len(key), fipsMinKey)
	}
	return nil
}

// available reports whether a digest is known, and may be used.
func available(digest string) bool {
	return digests[digest] != nil && (digest != legacyDigest || !fips140.Enforced())
}

// cutDigest splits a message that begins with the name of an available digest in
// braces.
func cutDigest(message []byte) (name string, rest []byte, ok bool) {
	if !bytes.HasPrefix(message, []byte("{")) {
		return "", nil, false
	}
	before, rest, found := bytes.Cut(message[1:], []byte("}"))
	name = string(before)
	return name, rest, found && available(name)
}

// mac authenticates a whole challenge. A prefix that names the digest is part of the
// message, even for a peer that does not know its meaning. The digest must be available,
// and the key must pass CheckKey.
func mac(digest string, key, challenge []byte) []byte {
	h := hmac.New(digests[digest], key)
	h.Write(challenge)
	return h.Sum(nil)
}

// verify returns nil if answer proves that its sender knows the key. The time to refuse
// a wrong answer reveals nothing about the right one.
func verify(answer, key, challenge []byte) error {
	digest, got := legacyDigest, answer
	if len(answer) != md5.Size {
		var ok bool
		if digest, got, ok = cutDigest(answer); !ok {
			return errTheirKey
		}
	}
	if !available(digest) {
		return errOnlyMD5
	}
	if !hmac.Equal(got, mac(digest, key, challenge)) {
		return errTheirKey
	}
	return nil
}
