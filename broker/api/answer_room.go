package api

import (
	"errors"
	"fmt"
)

// A request that names one group a million times asks for a million descriptions
// of it, and Kafka gives them, in order, if its heap allows. What a request can
// multiply is therefore counted before it is built.

// DefaultAnswerMaxBytes is what an answer may take in memory, in bytes: the
// configurations of some seventy thousand topics. Without a bound a request of a
// megabyte could name this broker 200,000 times, and its configuration takes 160 kB.
const DefaultAnswerMaxBytes = 1 << 30

// Rough sizes, in bytes, of what such answers consist of: in memory and encoded,
// without the values that differ most.
const (
	configEntrySize   = 450
	groupMemberSize   = 256
	groupOffsetSize   = 128
	producerStateSize = 96
	txnStateSize      = 160 // of one transactional id
	txnPartitionSize  = 48  // of one partition in it
	refusalSize       = 256 // of one partition, with a message of its own
)

// answerRoom is how many bytes an answer may still take.
type answerRoom struct{ left int }

func (d *Deps) answerRoom() *answerRoom { return &answerRoom{d.AnswerMaxBytes} }

// take takes size bytes. It reports whether they were there.
func (r *answerRoom) take(size int) bool {
	r.left -= size
	return r.left >= 0
}

var errAnswerTooLarge = errors.New("its answer would be too large")

// tooMuchAsked closes the connection: a part of an answer would pass for all of it.
func tooMuchAsked(r *Request) Reply {
	return Reply{Hangup: fmt.Errorf("request of key %d, version %d: %w", r.Key, r.Version, errAnswerTooLarge)}
}
