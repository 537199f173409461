//go:build !race

package wait

// race.go says what these are for.

func (q *queue) acquired()  {}
func (q *queue) releasing() {}
