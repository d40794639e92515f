// Package shard is what coordinators have in common: it owns the order in which a part of a coordinator's state is read,
// changed and stored, and the key in the store that says whose part it is. It must not know what the state is, nor logs,
// connections or the wire format of requests.
//
// # Shape
//
// A [Loop] is two goroutines. One owns the state, a [Core]: it alone touches it, takes in what calls have come, wakes what
// is due, and never waits. The other, the writer, flies: it does what takes time, one flight after the other, mostly a
// transaction of the store. What comes in while a flight is under way goes into the next: the busier a coordinator is, the
// more changes share a transaction. When a flight lands the core makes what it has written the truth, and lets those know
// who wait for it.
//
// [Alarms] is one heap for all that a core has to wake: what is idle costs neither goroutine nor timer.
//
// # The fence
//
// An [Owner] is the hold on a part of the store: every transaction is conditional on the modification revision of the
// ownership key, which Take overwrites. So whoever has been replaced writes nothing more, and finds out when it next wants
// to (ErrLost). The same keeps a transaction of unknown outcome from coming in late: Retake moves the key, and only then is
// the state read again.
package shard
