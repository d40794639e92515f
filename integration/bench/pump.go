package main

import (
	"encoding/binary"
	"errors"
	"sync"
	"time"
)

// pump sends requests over one connection, up to depth of them unanswered, and hands on each answer in their order: a
// client that costs little and never lets the broker wait. next returns the i-th request, made by encode, or nil when
// there are no more; it may return the same bytes again and again. An answer is valid until answered returns, which
// ends everything with an error. Next and answered run on two goroutines.
func (w *wire) pump(depth int, next func(i int) []byte, answered func(i int, took time.Duration, answer []byte) error) error {
	sent := make(chan time.Time, depth) // of each request under way
	free := make(chan struct{}, depth)
	first := w.id + 1
	over := make(chan struct{}) // the reader has stopped
	var failed error
	var writing sync.WaitGroup
	writing.Go(func() {
		defer close(sent)
		for i := 0; ; i++ {
			select {
			case free <- struct{}{}:
			case <-over:
				return
			}
			request := next(i)
			if request == nil {
				return
			}
			start := time.Now()
			if failed = w.write(request); failed != nil {
				return
			}
			sent <- start
		}
	})
	err := func() error {
		defer close(over)
		i := 0
		for start := range sent {
			answer, err := w.receive(first + uint32(i))
			if err == nil {
				err = answered(i, time.Since(start), answer)
			}
			if err != nil {
				w.conn.Close() // wakes the writer
				return err
			}
			<-free
			i++
		}
		return nil
	}()
	writing.Wait()
	return errors.Join(err, failed)
}

// write sends a request with the next correlation id.
func (w *wire) write(request []byte) error {
	w.id++
	binary.BigEndian.PutUint32(request[correlationAt:], w.id)
	_, err := w.conn.Write(request)
	return err
}
