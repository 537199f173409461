package connection

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"hash"
)

// digests are those that CPython 3.12 and later accept by name. Earlier
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

	// A challenge of this length is from CPython 3.11 or earlier, whatever it
	// begins with.
	legacyChallengeLen = 20
)

// cutDigest splits what begins with a known digest's name in braces.
func cutDigest(message []byte) (name string, rest []byte, ok bool) {
	if !bytes.HasPrefix(message, []byte("{")) {
		return "", nil, false
	}
	before, rest, found := bytes.Cut(message[1:], []byte("}"))
	name = string(before)
	return name, rest, found && digests[name] != nil
}

// mac authenticates a challenge, all of it: a prefix that names the digest is
// part of the message also for a peer that does not know what it means.
func mac(digest string, key, challenge []byte) []byte {
	h := hmac.New(digests[digest], key)
	h.Write(challenge)
	return h.Sum(nil)
}

// proves tells whether answer shows that its sender knows the key. Where it
// shows the contrary, the time that takes says nothing about the right answer.
func proves(answer, key, challenge []byte) bool {
	digest, got := legacyDigest, answer
	if len(answer) != md5.Size {
		var ok bool
		if digest, got, ok = cutDigest(answer); !ok {
			return false
		}
	}
	return hmac.Equal(got, mac(digest, key, challenge))
}
