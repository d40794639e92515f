package api

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/broker/replica"
)

// Fetch, key 1, versions 4 to 18: sessions from 7 on (KIP-227), leader epochs
// from 9 on (KIP-320), diverging epochs from 12 on (KIP-595), topic ids from 13
// on (KIP-516), the new leader from 16 on (KIP-951).
//
// The request's partitions are read in order until max.bytes are found; the
// first that has records gives at least one whole batch, whatever its size
// (KIP-74). Short of min.bytes, one waiter is registered with all partitions,
// then they are read once more, then it waits.

func fetch(_ context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.FetchRequest)
	out := in.ResponseKind().(*kmsg.FetchResponse)
	if in.IsolationLevel != readUncommitted && in.IsolationLevel != readCommitted {
		return answer(refuseFetch(in, out))
	}
	session, wanted, err := d.Sessions.begin(in, d.Partitions.Image())
	if err != nil {
		out.ErrorCode = code(err)
		return answer(out)
	}
	op := &fetchOp{
		d: d, r: r, out: out, session: session, wanted: wanted,
		replicaID:     in.ReplicaID,
		maxBytes:      min(int(in.MaxBytes), d.FetchMaxBytes),
		readCommitted: in.IsolationLevel == readCommitted,
		deadline:      r.Received.Add(time.Duration(in.MaxWaitMillis) * time.Millisecond),
	}
	op.minBytes = min(int(in.MinBytes), op.maxBytes)
	op.byID = r.Version >= 13
	if r.Version >= 15 {
		op.replicaID = in.ReplicaState.ID
	}
	if in.MaxWaitMillis <= 0 || len(wanted) == 0 {
		op.read()
		return op.finish()
	}
	if op.read() {
		return op.finish()
	}
	// Whoever waits behind earlier answers keeps no hold on the log meanwhile.
	op.release()
	return Reply{Wait: op.wait}
}

// refuseFetch answers INVALID_REQUEST for the whole: to each partition too in the
// versions in which clients look for it there.
func refuseFetch(in *kmsg.FetchRequest, out *kmsg.FetchResponse) *kmsg.FetchResponse {
	out.ErrorCode = kerr.InvalidRequest.Code
	if in.Version >= 13 {
		return out
	}
	for _, t := range in.Topics {
		ot := kmsg.NewFetchResponseTopic()
		ot.Topic = t.Topic
		for _, p := range t.Partitions {
			ot.Partitions = append(ot.Partitions, refusedFetch(p.Partition, kerr.InvalidRequest.Code))
		}
		out.Topics = append(out.Topics, ot)
	}
	return out
}

// refusedFetch is the answer to a partition that nothing is read from.
func refusedFetch(partition int32, code int16) kmsg.FetchResponseTopicPartition {
	p := kmsg.NewFetchResponseTopicPartition()
	p.Partition, p.ErrorCode = partition, code
	p.HighWatermark, p.LastStableOffset, p.LogStartOffset = -1, -1, -1
	p.AbortedTransactions = []kmsg.FetchResponseTopicPartitionAbortedTransaction{}
	p.PreferredReadReplica = -1
	p.RecordBatches = []byte{}
	return p
}

// fetchOp is one Fetch request under way.
type fetchOp struct {
	d             *Deps
	r             *Request
	out           *kmsg.FetchResponse
	session       *fetchSession // nil: the request is its own and full
	wanted        []fetchPartition
	replicaID     int32
	minBytes      int
	maxBytes      int
	readCommitted bool
	byID          bool // topics are named by id
	deadline      time.Time

	found []fetched // by position in wanted
	bytes int       // record bytes in found
}

// fetched is what one partition gave.
type fetched struct {
	result    replica.FetchResult
	err       error
	partition *replica.Partition
}

// read reads every partition, replacing what an earlier read found. It answers
// whether the response may leave: enough bytes, or something the client must
// hear of at once.
func (o *fetchOp) read() (ready bool) {
	if o.found == nil {
		o.found = make([]fetched, len(o.wanted))
	}
	o.bytes = 0
	left := o.maxBytes
	for i := range o.wanted {
		w, f := &o.wanted[i], &o.found[i]
		*f = fetched{err: w.err}
		if f.err == nil {
			f.partition, f.err = hostedPartition(o.d, w.topic, w.topicID, o.byID, w.partition)
		}
		if f.err == nil {
			p := o.params(w)
			p.MaxBytes, p.AtLeastOne = max(min(p.MaxBytes, left), 0), o.bytes == 0
			f.result, f.err = f.partition.Fetch(p)
		}
		if f.err != nil || f.result.Diverging != nil {
			ready = true
		}
		o.bytes += f.result.Slice.Len()
		left -= f.result.Slice.Len()
	}
	return ready || o.bytes >= o.minBytes || o.bytes > 0 && o.cannotGrow()
}

// params asks for what the client wants of a partition.
func (o *fetchOp) params(w *fetchPartition) replica.FetchParams {
	return replica.FetchParams{
		Offset:             w.offset,
		MaxBytes:           int(w.maxBytes),
		ReadCommitted:      o.readCommitted,
		ReplicaID:          o.replicaID,
		CurrentLeaderEpoch: w.currentLeaderEpoch,
		LastFetchedEpoch:   w.lastFetchedEpoch,
	}
}

// cannotGrow says whether waiting is no use although min.bytes were not found.
// Kafka cuts batches where a bound falls, and counts the pieces; here only whole
// ones are read, so that bounds as large as min.bytes would never be filled. And
// a read ends with its segment: what follows comes with the next request.
func (o *fetchOp) cannotGrow() bool {
	bytes := 0
	for i := range o.wanted {
		if o.found[i].partition == nil {
			continue
		}
		there, more := o.found[i].partition.Available(o.params(&o.wanted[i]))
		if more {
			return true
		}
		bytes += max(o.found[i].result.Slice.Len(), min(there, int(o.wanted[i].maxBytes)))
	}
	return bytes >= o.minBytes
}

func (o *fetchOp) release() {
	for i := range o.found {
		o.found[i].result.Slice.Release()
		o.found[i].result.Slice = replica.Slice{}
	}
}

// wait finishes the request when enough bytes are there, or max.wait is over.
func (o *fetchOp) wait(ctx context.Context) Reply {
	waiter := replica.NewWaiter(int64(o.minBytes))
	watched := make([]*replica.Partition, len(o.found))
	defer func() {
		for _, p := range watched {
			if p != nil {
				p.Unregister(waiter)
			}
		}
	}()
	// watch registers with partitions that are not watched yet: all at first, and
	// later those that took the place of a deleted one of the same name.
	watch := func() (changed bool) {
		for i := range o.found {
			p := o.found[i].partition
			if p == nil || p == watched[i] {
				continue
			}
			if watched[i] != nil {
				watched[i].Unregister(waiter)
			}
			p.Register(waiter)
			watched[i], changed = p, true
		}
		return changed
	}
	watch()
	timer := time.NewTimer(o.deadline.Sub(o.d.Now()))
	defer timer.Stop()
	for !o.read() {
		o.release()
		if watch() {
			continue
		}
		waiter.Found(int64(o.bytes))
		select {
		case <-waiter.Ready():
			waiter.Reset(int64(o.minBytes))
			continue
		case <-timer.C:
		case <-ctx.Done():
		}
		o.read()
		break
	}
	return o.finish()
}

// finish builds the response, and leaves the session knowing what it told.
func (o *fetchOp) finish() Reply {
	leaders := &newLeaders{d: o.d, r: o.r}
	o.out.SessionID = o.session.responseID()
	var records [][]replica.Slice
	o.session.respond(func(incremental bool) {
		for i := range o.wanted {
			w, f := &o.wanted[i], &o.found[i]
			p := o.describe(w, f, leaders)
			if incremental && !w.cached.changed(&p, f.result.Slice.Len()) {
				f.result.Slice.Release()
				continue
			}
			if w.cached != nil {
				w.cached.told(&p)
				if f.result.Slice.Len() > 0 {
					o.session.served(w.cached)
				}
			}
			if n := len(o.out.Topics); n == 0 || !w.sameTopic(&o.out.Topics[n-1]) {
				t := kmsg.NewFetchResponseTopic()
				t.Topic, t.TopicID = w.topic, w.topicID
				o.out.Topics = append(o.out.Topics, t)
				records = append(records, nil)
			}
			n := len(o.out.Topics) - 1
			o.out.Topics[n].Partitions = append(o.out.Topics[n].Partitions, p)
			records[n] = append(records[n], f.result.Slice)
		}
	})
	for _, b := range leaders.brokers {
		if o.replicaID >= 0 {
			break // followers know the brokers
		}
		o.out.Brokers = append(o.out.Brokers, kmsg.FetchResponseBroker(b))
	}
	return Reply{Response: o.out, Records: records}
}

func (o *fetchOp) describe(w *fetchPartition, f *fetched, leaders *newLeaders) kmsg.FetchResponseTopicPartition {
	p := refusedFetch(w.partition, code(f.err))
	if f.partition != nil {
		p.AbortedTransactions = nil // Kafka's null where it came to read, with whatever success
	}
	if f.err != nil {
		if o.r.Version >= 16 && (p.ErrorCode == kerr.NotLeaderForPartition.Code || p.ErrorCode == kerr.FencedLeaderEpoch.Code) {
			p.CurrentLeader.LeaderID, p.CurrentLeader.LeaderEpoch = leaders.of(w.topic, w.partition)
		}
		return p
	}
	at := f.result.Offsets
	p.HighWatermark, p.LastStableOffset, p.LogStartOffset = at.HighWatermark, at.LastStable, at.LogStart
	if e := f.result.Diverging; e != nil {
		p.DivergingEpoch.Epoch, p.DivergingEpoch.EndOffset = e.Epoch, e.EndOffset
	}
	if o.readCommitted {
		p.AbortedTransactions = make([]kmsg.FetchResponseTopicPartitionAbortedTransaction, len(f.result.Slice.Aborted))
		for i, a := range f.result.Slice.Aborted {
			t := &p.AbortedTransactions[i]
			t.ProducerID, t.FirstOffset = a.ProducerID, a.FirstOffset
		}
	}
	return p
}
