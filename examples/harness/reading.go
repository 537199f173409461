// Package harness has a record in two languages, reading.go and reading.py, and a test that
// holds the two against each other with every Python of the machine. A copy of the folder is
// a beginning for such a test of another program.
package harness

import (
	"encoding/binary"
	"fmt"
	"math"
)

// A Reading is one measurement of a sensor.
type Reading struct {
	Sensor string // at most 15 bytes
	At     int64  // nanoseconds since 1970
	Value  float64
}

// recordSize is the size of a record: At and Value, the length of Sensor, and Sensor with
// zeros behind it. Numbers are little-endian.
const recordSize = 8 + 8 + 1 + maxSensor

const maxSensor = 15

// Encode returns the record of a reading.
func (r Reading) Encode() ([]byte, error) {
	if len(r.Sensor) > maxSensor {
		return nil, fmt.Errorf("the sensor's name %q has more than %d bytes", r.Sensor, maxSensor)
	}
	record := make([]byte, recordSize)
	binary.LittleEndian.PutUint64(record, uint64(r.At))
	binary.LittleEndian.PutUint64(record[8:], math.Float64bits(r.Value))
	record[16] = byte(len(r.Sensor))
	copy(record[17:], r.Sensor)
	return record, nil
}

// Decode returns the reading that a record holds.
func Decode(record []byte) (Reading, error) {
	if len(record) != recordSize {
		return Reading{}, fmt.Errorf("a record has %d bytes, and not %d", recordSize, len(record))
	}
	n := record[16]
	if n > maxSensor {
		return Reading{}, fmt.Errorf("the sensor's name has %d bytes, and not at most %d", n, maxSensor)
	}
	return Reading{
		Sensor: string(record[17 : 17+n]),
		At:     int64(binary.LittleEndian.Uint64(record)),
		Value:  math.Float64frombits(binary.LittleEndian.Uint64(record[8:])),
	}, nil
}
