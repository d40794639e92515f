package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/broker/replica"
)

// ListOffsets, key 2, versions 1 to 11: KIP-79 (by timestamp), KIP-98 (isolation
// level), KIP-320 (leader epochs), KIP-207 (OFFSET_NOT_AVAILABLE), KIP-734 (max
// timestamp), KIP-405 (earliest local), KIP-1005 (latest tiered), KIP-1075
// (timeout), KIP-1023 (earliest pending upload).
//
// There is no tiered storage: the whole log is local and nothing waits for its
// upload, which is what Kafka answers for a topic without remote storage. The
// timeout bounds reads of remote storage only, so it has no effect.
//
// Deviation: a search by time goes on to later segments. Kafka's ends in the first
// segment that holds a late enough record, and finds nothing if DeleteRecords has
// moved the start of the log past that record.

// Timestamps that ask for something else than a time.
const (
	latestTimestamp                = -1
	earliestTimestamp              = -2
	maxTimestamp                   = -3
	earliestLocalTimestamp         = -4
	latestTieredTimestamp          = -5
	earliestPendingUploadTimestamp = -6
)

// listableSince is the first version that may ask for a special timestamp.
func listableSince(timestamp int64) (version int16, ok bool) {
	switch {
	case timestamp >= earliestTimestamp:
		return 1, true
	case timestamp == maxTimestamp:
		return 7, true
	case timestamp == earliestLocalTimestamp:
		return 8, true
	case timestamp == latestTieredTimestamp:
		return 9, true
	case timestamp == earliestPendingUploadTimestamp:
		return 11, true
	}
	return 0, false
}

const (
	readUncommitted = 0
	readCommitted   = 1
)

// Replica ids that are no broker's.
const (
	consumerReplica  = -1
	debuggingReplica = -2 // may read from a replica that does not lead
)

func listOffsets(_ context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.ListOffsetsRequest)
	out := in.ResponseKind().(*kmsg.ListOffsetsResponse)

	// A partition asked for twice is answered once, with an error; a topic named
	// twice is answered in one piece.
	type key struct {
		topic     string
		partition int32
	}
	times := make(map[key]int)
	for _, t := range in.Topics {
		for _, p := range t.Partitions {
			times[key{t.Topic, p.Partition}]++
		}
	}
	at := make(map[string]int, len(in.Topics))
	for _, t := range in.Topics {
		for _, p := range t.Partitions {
			n := times[key{t.Topic, p.Partition}]
			if n == 0 {
				continue
			}
			delete(times, key{t.Topic, p.Partition})
			i, ok := at[t.Topic]
			if !ok {
				i = len(out.Topics)
				at[t.Topic] = i
				topic := kmsg.NewListOffsetsResponseTopic()
				topic.Topic = t.Topic
				out.Topics = append(out.Topics, topic)
			}
			o := kmsg.NewListOffsetsResponseTopicPartition()
			o.Partition = p.Partition
			found, err := unlisted, error(nil)
			switch {
			case in.IsolationLevel != readUncommitted && in.IsolationLevel != readCommitted:
				err = kerr.UnknownServerError // Kafka's enumeration throws
			case n > 1:
				err = kerr.InvalidRequest
			default:
				found, err = listOffset(d, r.Version, in, t.Topic, p)
			}
			o.Offset, o.Timestamp, o.LeaderEpoch = found.offset, found.timestamp, found.epoch
			o.ErrorCode = code(err)
			if r.Version < 5 && o.ErrorCode == kerr.OffsetNotAvailable.Code {
				o.ErrorCode = kerr.LeaderNotAvailable.Code
			}
			out.Topics[i].Partitions = append(out.Topics[i].Partitions, o)
		}
	}
	return answer(out)
}

// listed is one answer. Only an offset that was looked up by its time comes with
// a timestamp.
type listed struct {
	offset, timestamp int64
	epoch             int32
}

var unlisted = listed{-1, -1, -1}

// listOffset answers one partition. That nothing was found is no error.
func listOffset(d *Deps, version int16, in *kmsg.ListOffsetsRequest, topic string, ask kmsg.ListOffsetsRequestTopicPartition) (listed, error) {
	if since, ok := listableSince(ask.Timestamp); !ok || version < since {
		return unlisted, kerr.UnsupportedVersion
	}
	p, err := d.Partitions.Get(topic, ask.Partition)
	if err != nil {
		return unlisted, err
	}
	read := asLeader
	if in.ReplicaID == debuggingReplica {
		read = asReplica
	}
	found := unlisted
	err = read(p, ask.CurrentLeaderEpoch, func(leaderEpoch int32) (err error) {
		found, err = lookUp(p, leaderEpoch, visibleEnd(p, in), ask.Timestamp)
		return err
	})
	if err != nil {
		return unlisted, err
	}
	return found, nil
}

// visible is how much of a log the asker may know about.
type visible struct {
	end int64
	// uncertain is set for a client while the high watermark has not reached the
	// first offset of the leader's epoch: a leader just elected does not know yet
	// how far the log is committed, and might answer less than its predecessor
	// did (KIP-207).
	uncertain bool
}

func visibleEnd(p *replica.Partition, in *kmsg.ListOffsetsRequest) visible {
	log := p.Log()
	offsets := log.Offsets()
	if in.ReplicaID != consumerReplica {
		return visible{end: offsets.LogEnd}
	}
	v := visible{end: offsets.HighWatermark}
	if in.IsolationLevel == readCommitted {
		v.end = offsets.LastStable
	}
	// The end of all epochs before the leader's is where its own begins.
	_, start := log.EndOffsetForEpoch(p.State().LeaderEpoch - 1)
	v.uncertain = start > offsets.HighWatermark
	return v
}

func lookUp(p *replica.Partition, leaderEpoch int32, v visible, timestamp int64) (listed, error) {
	log := p.Log()
	switch timestamp {
	case latestTimestamp:
		if v.uncertain {
			return unlisted, kerr.OffsetNotAvailable
		}
		return listed{v.end, -1, leaderEpoch}, nil
	case earliestTimestamp, earliestLocalTimestamp:
		start := log.Offsets().LogStart
		epoch, ok := log.EpochAt(start)
		if !ok {
			epoch = -1
		}
		return listed{start, -1, epoch}, nil
	case latestTieredTimestamp, earliestPendingUploadTimestamp:
		return unlisted, nil
	case maxTimestamp:
		t, ok, err := log.MaxTimestampOffset()
		return v.limit(listed{t.Offset, t.Timestamp, t.LeaderEpoch}, ok, err)
	}
	t, ok, err := log.OffsetForTimestamp(timestamp)
	return v.limit(listed{t.Offset, t.Timestamp, t.LeaderEpoch}, ok, err)
}

// limit passes on what a search by time has found, if it is visible.
func (v visible) limit(found listed, ok bool, err error) (listed, error) {
	switch {
	case err != nil:
		return unlisted, err
	case ok && found.offset < v.end:
		return found, nil
	case v.uncertain:
		// What there is to find may lie beyond what is known to be committed.
		return unlisted, kerr.OffsetNotAvailable
	}
	return unlisted, nil
}
