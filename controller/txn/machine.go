package txn

import (
	"errors"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
)

const (
	// markerPause lies between the first attempts to write markers, in milliseconds; it doubles up to maxMarkerPause.
	markerPause    = 20
	maxMarkerPause = 1000
	// maxPartitionBytes bounds the partitions of a transaction, as partitionBytes counts them: the record has to fit into
	// one transaction of the store, with a key and a fence.
	maxPartitionBytes = 900_000
)

// never is the time of an alarm that is not set.
const never = 1<<63 - 1

// ticket names a request whose reply the machine owes. nil: nobody waits.
type ticket any

// Events. Requests that change something get their reply with the storedEvent that follows, refusals come at once.
type (
	initEvent struct {
		to  ticket
		req *InitProducerIDRequest
	}
	addEvent struct {
		to  ticket
		req *AddPartitionsRequest
	}
	verifyEvent struct {
		to  ticket
		req *AddPartitionsRequest
	}
	endEvent struct {
		to  ticket
		req *EndTxnRequest
	}
	// storedEvent: the last persist that was not lazy is in the store.
	storedEvent struct{}
	// markersEvent: an attempt is over, with an error for each partition of it.
	markersEvent struct {
		attempt int
		errs    []error
	}
	// tickEvent: it may be time for something.
	tickEvent struct{}
)

type event any

// Effects.
type (
	// persist: meta is to be stored, or the record removed if it is nil. lazy: nothing waits for it, and a later one may
	// take its place.
	persist struct {
		meta *metadata
		lazy bool
	}
	reply struct {
		to   ticket
		body any
	}
	// confirm is a reply that grants something without a change. It is sent when the store has confirmed that this
	// coordinator has not been replaced: its successor may have ended this transaction, and let the next one begin.
	confirm     struct{ reply }
	sendMarkers struct {
		attempt int
		markers Markers
	}
	// doubted: markers of the last attempt may still be on their way, or another coordinator is at work. The next attempt
	// has to carry a higher coordinator epoch.
	doubted struct{}
	// needProducerID: nothing was done; the event is to come again when there is a producer id.
	needProducerID struct{}
	// removed: the transactional id is forgotten.
	removed struct{}
)

type effect any

// surroundings are what a machine knows beside events.
type surroundings interface {
	config() *Config
	transactionVersion() int16 // the level of the feature transaction.version
	producerID() (id int64, ok bool)
}

// machine is the state machine of one transactional id; see doc.go. It does nothing by itself: step changes it and says
// what is to be done. Between a persist and its storedEvent pending is set, and whatever would change the id is refused.
type machine struct {
	id      string
	around  surroundings
	meta    metadata  // as stored, or lazily about to be
	pending *metadata // on its way to the store
	dying   bool      // pending is the removal
	owed    reply     // to be sent with storedEvent

	// In PrepareCommit and PrepareAbort.
	unmarked []TopicPartition // whose leaders have not taken the marker
	attempt  int
	sending  bool // an attempt is under way
	pause    int64
	retryAt  int64
}

// newMachine makes the machine of an id that the store does not know yet.
func newMachine(id string, around surroundings, producerID int64) *machine {
	return &machine{id: id, around: around, meta: metadata{producerID: producerID, prevProducerID: noProducerID,
		nextProducerID: noProducerID, epoch: noEpoch, lastEpoch: noEpoch, start: -1}}
}

// restore makes a machine of what was stored. resume has to follow.
func restore(id string, around surroundings, meta *metadata) *machine {
	return &machine{id: id, around: around, meta: *meta}
}

// resume goes on with what was under way when the record was stored.
func (m *machine) resume(now int64) []effect {
	if m.meta.state.preparing() {
		return m.startMarkers(now)
	}
	return nil
}

func (m *machine) step(ev event, now int64) []effect {
	switch e := ev.(type) {
	case initEvent:
		return m.init(e, now)
	case addEvent:
		return m.add(e, now)
	case verifyEvent:
		return m.verify(e)
	case endEvent:
		return m.end(e, now)
	case storedEvent:
		return m.stored(now)
	case markersEvent:
		return m.marked(e, now)
	default:
		return m.tick(now)
	}
}

// persist has next stored, and the reply sent then.
func (m *machine) persist(next *metadata, to ticket, body any) []effect {
	m.pending, m.owed = next, reply{to, body}
	return []effect{persist{meta: next}}
}

func (m *machine) busy() bool { return m.pending != nil || m.dying }

func (m *machine) stored(now int64) []effect {
	if m.dying {
		m.dying, m.meta.state = false, Dead
		return []effect{removed{}}
	}
	m.meta, m.pending = *m.pending, nil
	effects := []effect{m.owed}
	m.owed = reply{}
	if m.meta.state.preparing() {
		effects = append(effects, m.startMarkers(now)...)
	}
	return effects
}

func (m *machine) startMarkers(now int64) []effect {
	m.unmarked, m.pause, m.retryAt = m.meta.partitions, markerPause, never
	if len(m.unmarked) == 0 {
		return m.completed(now)
	}
	return m.send()
}

func (m *machine) send() []effect {
	m.attempt++
	m.sending, m.retryAt = true, never
	return []effect{sendMarkers{m.attempt, Markers{
		ProducerID: m.meta.producerID, Epoch: m.meta.epoch, Commit: m.meta.state == PrepareCommit,
		TransactionVersion: m.meta.version, Partitions: m.unmarked,
	}}}
}

// completed needs no write that anybody waits for: whoever finds the Prepare in the store comes to the same end.
func (m *machine) completed(now int64) []effect {
	m.meta = *m.meta.complete(now)
	m.unmarked = nil
	meta := m.meta
	return []effect{persist{&meta, true}}
}

// marked takes the outcome of one attempt.
func (m *machine) marked(e markersEvent, now int64) []effect {
	if !m.sending || e.attempt != m.attempt {
		return nil
	}
	m.sending = false
	var open []TopicPartition
	doubt := false
	for i, tp := range m.unmarked {
		if i < len(e.errs) && settled(e.errs[i]) {
			continue
		}
		open = append(open, tp)
		if i < len(e.errs) {
			err := e.errs[i]
			doubt = doubt || errors.Is(err, kerr.TransactionCoordinatorFenced) || errors.Is(err, kerr.RequestTimedOut)
		}
	}
	if len(open) == 0 {
		return m.completed(now)
	}
	m.unmarked = open
	m.retryAt = now + m.pause
	m.pause = min(2*m.pause, maxMarkerPause)
	if doubt {
		return []effect{doubted{}}
	}
	return nil
}

// settled says whether nothing of the transaction is open in a partition any more. A producer epoch that is too old is
// that of a transaction which has ended there: nobody but the coordinator gives out a newer one, and only after this one.
func settled(err error) bool {
	return err == nil || errors.Is(err, ErrDeleted) || errors.Is(err, kerr.InvalidProducerEpoch) ||
		errors.Is(err, kerr.UnsupportedForMessageFormat)
}

// wake is when a tick may have something to do, and in steps of which interval that is looked at, in milliseconds.
func (m *machine) wake() (at, interval int64) {
	cfg := m.around.config()
	switch {
	case m.busy() || m.meta.state == Dead:
		return never, 0
	case m.meta.state == Ongoing:
		return m.meta.start + int64(m.meta.timeoutMs) + 1, cfg.AbortTimedOutIntervalMs
	case m.meta.state.preparing():
		return m.retryAt, 0
	default:
		return m.meta.updated + cfg.IDExpirationMs, cfg.RemoveExpiredIntervalMs
	}
}

func (m *machine) tick(now int64) []effect {
	if at, _ := m.wake(); now < at {
		return nil
	}
	switch {
	case m.meta.state == Ongoing:
		return m.fence(now, nil, nil)
	case m.meta.state.preparing():
		return m.send()
	default:
		m.dying = true
		return []effect{persist{}}
	}
}

// fence aborts the open transaction under an epoch that its producer does not have. If that is the one after the last, no
// producer may ever get it, since nothing could fence it then: there is a new producer id.
func (m *machine) fence(now int64, to ticket, body any) []effect {
	version := m.around.transactionVersion()
	next := int64(noProducerID)
	if exhausted(m.meta.epoch) {
		id, ok := m.around.producerID()
		if !ok {
			return []effect{needProducerID{}}
		}
		next = id
	}
	prepared := m.meta.prepare(PrepareAbort, version, next, now)
	if version < 2 {
		prepared.epoch, prepared.lastEpoch = m.meta.bumped(), noEpoch
	}
	return m.persist(prepared, to, body)
}

// mayUse checks the producer of a request that adds to the transaction, or asks for what is in it.
func (m *machine) mayUse(producerID int64, epoch int16) error {
	switch {
	case m.meta.producerID != producerID:
		return kerr.InvalidProducerIDMapping
	case m.meta.epoch != epoch:
		return kerr.ProducerFenced
	}
	return nil
}

func (m *machine) add(e addEvent, now int64) []effect {
	r := e.req
	err := m.mayUse(r.ProducerID, r.Epoch)
	switch {
	case err != nil:
	case m.busy() || m.meta.state.preparing():
		err = kerr.ConcurrentTransactions
	case m.meta.state == Ongoing && !slices.ContainsFunc(r.Partitions, func(tp TopicPartition) bool { return !m.meta.contains(tp) }):
		return []effect{confirm{reply{e.to, error(nil)}}}
	}
	if err != nil {
		return []effect{reply{e.to, known(err, r.Version >= 2)}}
	}
	next := m.meta.change(Ongoing, now)
	next.partitions = union(m.meta.partitions, r.Partitions)
	if partitionBytes(next.partitions) > maxPartitionBytes {
		return []effect{reply{e.to, error(kerr.UnknownServerError)}}
	}
	if m.meta.state != Ongoing {
		next.start = now
	}
	next.version = 0
	if r.Version > 3 {
		next.version = 2
	}
	return m.persist(next, e.to, error(nil))
}

func (m *machine) verify(e verifyEvent) []effect {
	r := e.req
	err := m.mayUse(r.ProducerID, r.Epoch)
	if err == nil && m.meta.state.preparing() {
		err = kerr.ConcurrentTransactions
	}
	if err != nil {
		return []effect{reply{e.to, VerifyResponse{Err: err}}}
	}
	errs := make([]error, len(r.Partitions))
	for i, tp := range r.Partitions {
		if !m.meta.contains(tp) {
			errs[i] = kerr.TransactionAbortable
		}
	}
	return []effect{confirm{reply{e.to, VerifyResponse{Errs: errs}}}}
}

// known is err as the client understands it: PRODUCER_FENCED came with version 4 of InitProducerId, and with version 2 of
// the others (KIP-588).
func known(err error, knowsFenced bool) error {
	if err == kerr.ProducerFenced && !knowsFenced {
		return kerr.InvalidProducerEpoch
	}
	return err
}
