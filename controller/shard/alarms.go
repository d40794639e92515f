package shard

import (
	"container/heap"
	"time"
)

// Alarms wakes things when their time has come.
type Alarms[T any] struct{ heap alarmHeap[T] }

// Alarm is the place that a thing has in Alarms, for the thing to keep. The zero value is not set.
type Alarm[T any] struct {
	thing T
	at    time.Time
	place int // in the heap, from 1 on; 0: not set
}

// Set wakes a thing at a time or earlier: an alarm that is set already is only moved to the front. One that is too early
// costs its owner a look, and spares moving it with every change.
func (h *Alarms[T]) Set(a *Alarm[T], thing T, at time.Time) {
	switch {
	case a.place == 0:
		a.thing, a.at = thing, at
		heap.Push(&h.heap, a)
	case at.Before(a.at):
		a.at = at
		heap.Fix(&h.heap, a.place-1)
	}
}

// Clear forgets an alarm.
func (h *Alarms[T]) Clear(a *Alarm[T]) {
	if a.place > 0 {
		heap.Remove(&h.heap, a.place-1)
	}
}

// Due takes out a thing whose time has come.
func (h *Alarms[T]) Due(now time.Time) (thing T, ok bool) {
	if len(h.heap) == 0 || h.heap[0].at.After(now) {
		return thing, false
	}
	return heap.Pop(&h.heap).(*Alarm[T]).thing, true
}

// Next is the earliest time; false: there is none.
func (h *Alarms[T]) Next() (time.Time, bool) {
	if len(h.heap) == 0 {
		return time.Time{}, false
	}
	return h.heap[0].at, true
}

// Len is how many are set.
func (h *Alarms[T]) Len() int { return len(h.heap) }

type alarmHeap[T any] []*Alarm[T]

func (h alarmHeap[T]) Len() int           { return len(h) }
func (h alarmHeap[T]) Less(i, j int) bool { return h[i].at.Before(h[j].at) }
func (h alarmHeap[T]) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = i+1, j+1
}
func (h *alarmHeap[T]) Push(x any) {
	a := x.(*Alarm[T])
	*h = append(*h, a)
	a.place = len(*h)
}
func (h *alarmHeap[T]) Pop() any {
	last := len(*h) - 1
	a := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	a.place = 0
	return a
}
