package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// reader reads a topic from its start, in the order of each partition.
type reader struct {
	cl        *kgo.Client
	topic     string
	committed bool
	next      []int64         // by partition: behind what was read, control records too
	records   [][]*kgo.Record // by partition, without control records
}

// newReader reads what was committed alone, or everything.
func newReader(addr, topic string, partitions int, committed bool) (*reader, error) {
	from := make(map[int32]kgo.Offset)
	for p := range int32(partitions) {
		from[p] = kgo.NewOffset().AtStart()
	}
	level := kgo.ReadUncommitted()
	if committed {
		level = kgo.ReadCommitted()
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.KeepControlRecords(), kgo.FetchIsolationLevel(level),
		kgo.MetadataMinAge(100*time.Millisecond), kgo.MetadataMaxAge(time.Second), // topics and partitions may come later
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}))
	return &reader{cl: cl, topic: topic, committed: committed,
		next: make([]int64, partitions), records: make([][]*kgo.Record, partitions)}, err
}

func (r *reader) close() { r.cl.Close() }

// until reads on while there is a reason to; that is the error when ctx ends.
func (r *reader) until(ctx context.Context, reason func() error) error {
	for {
		why := reason()
		if why == nil {
			return nil
		}
		fetches := r.cl.PollFetches(ctx)
		if ctx.Err() != nil {
			return fmt.Errorf("reading %s: %w: %w", r.topic, context.Cause(ctx), why)
		}
		for _, e := range fetches.Errors() {
			// The topic may not be there yet, or its broker just not be there.
			if !kerr.IsRetriable(e.Err) && errors.As(e.Err, new(*kerr.Error)) {
				return fmt.Errorf("reading %s: %w", r.topic, e.Err)
			}
		}
		for _, record := range fetches.Records() {
			r.next[record.Partition] = record.Offset + 1
			if !record.Attrs.IsControl() {
				r.records[record.Partition] = append(r.records[record.Partition], record)
			}
		}
	}
}

// count reads until there are as many records.
func (r *reader) count(ctx context.Context, records int) error {
	return r.until(ctx, func() error {
		if have := len(r.all()); have < records {
			return fmt.Errorf("%d of %d records", have, records)
		}
		return nil
	})
}

// toEnd reads what is there. No transaction may be open: it is waited for.
func (r *reader) toEnd(ctx context.Context) error {
	ends := make([]int64, len(r.next))
	err := await(ctx, func() error {
		for p := range ends {
			last, err := endOf(ctx, r.cl, r.topic, p, false)
			if err != nil {
				return err
			}
			stable, err := endOf(ctx, r.cl, r.topic, p, true)
			if err != nil {
				return err
			}
			if stable != last {
				return fmt.Errorf("a transaction is open: partition %d is stable below %d, and ends at %d", p, stable, last)
			}
			ends[p] = last
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("the end of %s: %w", r.topic, err)
	}
	return r.until(ctx, func() error {
		for p, end := range ends {
			if r.next[p] < end {
				return fmt.Errorf("partition %d was read up to %d of %d", p, r.next[p], end)
			}
		}
		return nil
	})
}

func (r *reader) all() []*kgo.Record { return slices.Concat(r.records...) }

func values(records []*kgo.Record) (list []string) {
	for _, r := range records {
		list = append(list, string(r.Value))
	}
	return list
}

// readTopic reads what is in a topic now.
func readTopic(ctx context.Context, addr, topic string, partitions int, committed bool) ([][]*kgo.Record, error) {
	r, err := newReader(addr, topic, partitions, committed)
	if err != nil {
		return nil, err
	}
	defer r.close()
	if err := r.toEnd(ctx); err != nil {
		return nil, err
	}
	return r.records, nil
}

// endOf is the end of a partition for readers of committed records, or for all.
func endOf(ctx context.Context, cl *kgo.Client, topic string, partition int, committed bool) (int64, error) {
	req := kmsg.NewPtrListOffsetsRequest()
	rt, rp := kmsg.NewListOffsetsRequestTopic(), kmsg.NewListOffsetsRequestTopicPartition()
	rt.Topic, rp.Partition, rp.Timestamp = topic, int32(partition), -1
	if committed {
		req.IsolationLevel = 1
	}
	rt.Partitions = append(rt.Partitions, rp)
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(ctx, cl)
	if err != nil {
		return 0, err
	}
	got := resp.Topics[0].Partitions[0]
	return got.Offset, kerr.ErrorForCode(got.ErrorCode)
}

// same says where two lists differ first.
func same(what string, want, got []string) error {
	for i := range min(len(want), len(got)) {
		if want[i] != got[i] {
			return fmt.Errorf("%s: entry %d of %d is %q, not %q (%d wanted)", what, i, len(got), got[i], want[i], len(want))
		}
	}
	switch {
	case len(got) > len(want):
		return fmt.Errorf("%s: %d entries too many, the first is %q", what, len(got)-len(want), got[len(want)])
	case len(got) < len(want):
		return fmt.Errorf("%s: %d of %d entries are missing, the first is %q", what, len(want)-len(got), len(want), want[len(got)])
	case len(want) == 0:
		return fmt.Errorf("%s: nothing was compared", what)
	}
	return nil
}

// atLeastOnce says what is wrong with a list that a worker wrote which may have begun anew at any entry before the one
// where it was: nothing is missing, and what follows an entry is its successor or something older.
func atLeastOnce(what string, want, got []string) error {
	if len(want) == 0 {
		return fmt.Errorf("%s: nothing was compared", what)
	}
	place := make(map[string]int, len(want))
	for i, entry := range want {
		place[entry] = i
	}
	reached := 0 // so many of want were there
	last := -1
	for i, entry := range got {
		at, known := place[entry]
		switch {
		case !known:
			return fmt.Errorf("%s: entry %d is %q, which nobody wrote", what, i, entry)
		case at > last+1:
			return fmt.Errorf("%s: entry %d is %q, after %q", what, i, entry, strings.Join(got[max(0, i-1):i], ""))
		}
		last = at
		reached = max(reached, at+1)
	}
	if reached < len(want) {
		return fmt.Errorf("%s: ends before %q, number %d of %d", what, want[reached], reached, len(want))
	}
	return nil
}

// numbers are the lines from 0 to below n.
func numbers(n int) (lines []string) {
	for i := range n {
		lines = append(lines, numbered(i))
	}
	return lines
}
