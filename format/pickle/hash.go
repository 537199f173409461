package pickle

import (
	"crypto/rand"
	"encoding/binary"
	"hash/maphash"
	"math"
	"math/big"
	"math/bits"
	"sync"
	"time"
)

// Keys of dicts and items of sets are found by hashes that other processes
// cannot predict, so that no pickle makes a table slow. Equal keys have the same
// hash: 1, 1.0, True, 1+0j and Decimal("1.00"), for example. To this end CPython
// reduces every number modulo a known prime. Here the prime is secret.
var (
	seed  = maphash.MakeSeed()
	prime = sync.OnceValue(func() uint64 {
		for {
			if p, err := rand.Prime(rand.Reader, 61); err == nil {
				return p.Uint64()
			}
		}
	})
)

// hash returns the hash of a key, and reports whether Python can hash the key. depth
// bounds the tuples in tuples.
func hash(key any, depth int) (uint64, bool) {
	switch k := key.(type) {
	case string:
		return maphash.String(seed, k), true
	case Surrogates:
		return maphash.String(seed, string(k)), true
	case []byte:
		return maphash.Bytes(seed, k), true
	case Tuple:
		return hashTuple(k, depth)
	case *FrozenSet:
		if k == nil {
			return 0, false
		}
		return k.hash, true
	case DateTime, time.Time:
		if moment, ok := instant(k); ok {
			return maphash.Comparable(seed, moment.UnixMicro()), true
		}
		t := k.(DateTime)
		t.Fold = 0 // Python's == ignores it
		return maphash.Comparable(seed, t), true
	case TimeOfDay:
		if fields, ok := k.inUTC(); ok {
			return maphash.Comparable(seed, fields), true
		}
		k.Fold = 0
		return maphash.Comparable(seed, k), true
	case time.Duration:
		d, _ := deltaFrom(k.Truncate(time.Microsecond))
		return maphash.Comparable(seed, d), true
	case nil, Class, Date, TimeDelta, *Object: // only Python's class could find two objects equal: each differs from all others
		return maphash.Comparable(seed, k), true
	}
	if n, ok := numberOf(key); ok {
		return hashNumber(n), true
	}
	return 0, false
}

func hashTuple(t Tuple, depth int) (uint64, bool) {
	if depth <= 0 {
		return 0, false
	}
	var h maphash.Hash
	h.SetSeed(seed)
	for _, item := range t {
		one, ok := hash(item, depth-1)
		if !ok {
			return 0, false
		}
		h.Write(binary.NativeEndian.AppendUint64(nil, one))
	}
	return h.Sum64(), true
}

// hashNumber returns the hash of a result of numberOf.
func hashNumber(n any) uint64 {
	p := prime()
	switch n := n.(type) {
	case int64:
		return signed(n < 0, magnitude(n)%p, p)
	case *big.Int:
		var rest big.Int
		return rest.Mod(n, rest.SetUint64(p)).Uint64()
	case float64:
		return hashFloat(n, p)
	case complex128:
		return maphash.Comparable(seed, [2]uint64{hashFloat(real(n), p), hashFloat(imag(n), p)})
	case Decimal:
		return hashDecimal(n, p)
	}
	return 0
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

func hashFloat(f float64, p uint64) uint64 {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return maphash.Comparable(seed, f) // random for a NaN
	}
	fraction, exponent := math.Frexp(math.Abs(f))
	mantissa := uint64(math.Ldexp(fraction, 53))
	return signed(f < 0, multiply(mantissa%p, power(2, int64(exponent-53), p), p), p)
}

func hashDecimal(d Decimal, p uint64) uint64 {
	c, ok := parseDecimal(string(d))
	switch {
	case !ok || c.special == "nan":
		return maphash.Comparable(seed, math.NaN())
	case c.special == "inf" && c.negative:
		return hashFloat(math.Inf(-1), p)
	case c.special == "inf":
		return hashFloat(math.Inf(1), p)
	}
	var digits uint64
	for _, digit := range []byte(c.digits) {
		digits = (multiply(digits, 10, p) + uint64(digit-'0')) % p
	}
	return signed(c.negative, multiply(digits, power(10, c.exponent, p), p), p)
}

// signed returns n, or -n modulo p.
func signed(negative bool, n, p uint64) uint64 {
	if negative && n != 0 {
		return p - n
	}
	return n
}

// multiply returns a*b modulo p, for a and b below p.
func multiply(a, b, p uint64) uint64 {
	high, low := bits.Mul64(a, b)
	return bits.Rem64(high, low, p)
}

// power returns base to the n-th modulo p. A negative power is a power of the inverse,
// which is base to the (p-2)-th.
func power(base uint64, n int64, p uint64) uint64 {
	if n < 0 {
		base, n = power(base, int64(p-2), p), -n
	}
	result := uint64(1)
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			result = multiply(result, base, p)
		}
		base = multiply(base, base, p)
	}
	return result
}

// mix makes a hash unpredictable, if it was computed from something known.
func mix(hash uint64) uint64 { return maphash.Comparable(seed, hash) }
