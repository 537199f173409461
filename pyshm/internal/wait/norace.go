//go:build !race

package wait

// race.go explains these methods.

func (q *queue) acquired()  {}
func (q *queue) releasing() {}
