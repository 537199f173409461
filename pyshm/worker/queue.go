package worker

import (
	"container/list"
	"context"
	"io/fs"
	"slices"
)

// A grant is what a call that waits gets: a worker, or the reason why there will be none.
type grant struct {
	w   *worker
	err error
}

// A duty is what a worker of the pool is for.
type duty uint8

const (
	lost duty = iota // it has ended
	serving
	retired // it gets no more calls, and ends
)

// A queue has the workers that are free, and the calls that wait for one, in order. One of
// the two is empty. The pool's mutex guards it.
type queue struct {
	limit   int
	free    []*worker // the last one was used last
	waiting list.List // of chan grant, with room for one
}

// clear empties the queue of calls, and returns them.
func (q *queue) clear() (calls []chan grant) {
	for e := q.waiting.Front(); e != nil; e = q.waiting.Front() {
		calls = append(calls, q.waiting.Remove(e).(chan grant))
	}
	return calls
}

// take waits for a worker, behind earlier calls.
func (p *Pool) take(ctx context.Context) (*worker, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p.mu.Lock()
	switch q := &p.queue; {
	case p.closing:
		p.mu.Unlock()
		return nil, fs.ErrClosed
	case len(q.free) > 0:
		w := q.free[len(q.free)-1]
		q.free = q.free[:len(q.free)-1]
		w.taken = true
		p.busy++
		p.mu.Unlock()
		return w, nil
	case p.down != nil:
		defer p.mu.Unlock()
		return nil, p.down
	case q.waiting.Len() >= q.limit:
		p.mu.Unlock()
		p.stats.refused.Add(1)
		return nil, ErrBusy
	}
	granted := make(chan grant, 1)
	place := p.queue.waiting.PushBack(granted)
	p.mu.Unlock()
	select {
	case g := <-granted:
		return g.w, g.err
	case <-ctx.Done():
	}
	p.mu.Lock()
	p.queue.waiting.Remove(place) // does nothing if it was granted meanwhile
	p.checkDrained()
	p.mu.Unlock()
	select {
	case g := <-granted:
		if g.w != nil {
			p.give(g.w)
		}
	default:
	}
	return nil, ctx.Err()
}

// give gives back a worker that was taken: to the call that waits longest, if one does.
func (p *Pool) give(w *worker) {
	p.mu.Lock()
	p.busy--
	w.taken = false
	duty := p.workers[w]
	if duty == serving && !isDone(w.gone) {
		p.offer(w)
	}
	p.checkDrained()
	p.mu.Unlock()
	if duty == lost {
		w.close()
	}
}

// offer gives a worker to the call that waits longest, or notes that it is free.
func (p *Pool) offer(w *worker) {
	first := p.queue.waiting.Front()
	if first == nil {
		p.queue.free = append(p.queue.free, w)
		return
	}
	w.taken = true
	p.busy++
	p.queue.waiting.Remove(first).(chan grant) <- grant{w: w}
}

// up notes that a worker serves calls.
func (p *Pool) up(slot int, w *worker) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = nil
	delete(p.failing, slot)
	p.workers[w] = serving
	p.offer(w)
}

// retire notes that a worker gets no more calls.
func (p *Pool) retire(w *worker) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.workers[w] == serving {
		p.workers[w] = retired
	}
}

// lost notes that a worker has ended, and reports whether no job has it. Otherwise give
// closes it: until the job is over, its arrays keep their memory.
func (p *Pool) lost(w *worker) (unused bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.workers, w)
	if i := slices.Index(p.queue.free, w); i >= 0 {
		p.queue.free = slices.Delete(p.queue.free, i, i+1)
	}
	return !w.taken
}

// failed notes that a worker could not start. If there is no hope for any, calls fail.
func (p *Pool) failed(slot int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.failing[slot]++
	if len(p.workers) > 0 || len(p.failing) < p.options.Workers {
		return
	}
	for _, starts := range p.failing {
		if starts < hopeless {
			return
		}
	}
	p.down = err
	for _, call := range p.queue.clear() {
		call <- grant{err: err}
	}
	p.checkDrained()
}

// checkDrained notes that no call is left in a closing pool.
func (p *Pool) checkDrained() {
	if p.closing && p.busy == 0 && p.queue.waiting.Len() == 0 && !isDone(p.drained) {
		close(p.drained)
	}
}
