package logstore

import (
	"slices"
	"sync"
	"time"
)

// worker is a directory's one goroutine for what nobody waits for: flushing a segment that was rolled, removing
// files whose time has come. It sleeps until something is due.
type worker struct {
	mu      sync.Mutex
	jobs    []job // ascending by time
	wake    chan struct{}
	stopped bool
	done    sync.WaitGroup
}

type job struct {
	at time.Time
	do func()
}

func (w *worker) start() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wake = make(chan struct{}, 1)
	w.poke()
	w.done.Go(w.run)
}

// add has do called after a delay. After stop it is called never: what is left is for the next start to clean up.
func (w *worker) add(delay time.Duration, do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	j := job{at: time.Now().Add(delay), do: do}
	i, _ := slices.BinarySearchFunc(w.jobs, j.at, func(o job, at time.Time) int {
		if o.at.After(at) {
			return 1
		}
		return -1
	})
	w.jobs = slices.Insert(w.jobs, i, j)
	w.poke()
}

// poke makes run look at the jobs again. Called under mu.
func (w *worker) poke() {
	select {
	case w.wake <- struct{}{}:
	default: // it will, or has not started (a nil channel is never ready)
	}
}

func (w *worker) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		do, wait := w.next()
		if do != nil {
			do()
			continue
		}
		if wait < 0 {
			return
		}
		timer.Reset(wait)
		select {
		case <-w.wake:
		case <-timer.C:
		}
	}
}

// next takes the first job if it is due; otherwise it says how long to wait, a negative time after stop.
func (w *worker) next() (do func(), wait time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.stopped {
		return nil, -1
	}
	if len(w.jobs) == 0 {
		return nil, time.Hour
	}
	if wait := time.Until(w.jobs[0].at); wait > 0 {
		return nil, wait
	}
	do = w.jobs[0].do
	w.jobs = slices.Delete(w.jobs, 0, 1)
	return do, 0
}

// stop ends the goroutine and waits for it. Jobs that are due are dropped too.
func (w *worker) stop() {
	w.mu.Lock()
	w.stopped = true
	w.poke()
	w.mu.Unlock()
	w.done.Wait()
}
