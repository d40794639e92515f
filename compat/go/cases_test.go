package clients

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// common runs the cases of every client.
func common(t *testing.T, c client) {
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		run(t, "compression_"+codec, func(t *testing.T) { compression(t, c, codec) })
	}
	for _, acks := range []string{"none", "one", "all"} {
		run(t, "acks_"+acks, func(t *testing.T) { acknowledged(t, c, acks) })
	}
	run(t, "keys", func(t *testing.T) { keys(t, c) })
	run(t, "headers", func(t *testing.T) { headers(t, c) })
	run(t, "timestamps", func(t *testing.T) { timestamps(t, c) })
	run(t, "large_record", func(t *testing.T) { largeRecord(t, c) })
	run(t, "record_too_large", func(t *testing.T) { recordTooLarge(t, c) })
	run(t, "partitions", func(t *testing.T) { partitions(t, c) })
	run(t, "offset_by_time", func(t *testing.T) { offsetByTime(t, c) })
	run(t, "produce_creates_topic", func(t *testing.T) { produceCreatesTopic(t, c) })
	run(t, "unknown_topic", func(t *testing.T) { unknownTopic(t, c) })
	run(t, "seek", func(t *testing.T) { seek(t, c) })
	run(t, "waiting_reader_wakes", func(t *testing.T) { waitingReaderWakes(t, c) })
	run(t, "group_resumes", func(t *testing.T) { groupResumes(t, c) })
	run(t, "group_rebalances", func(t *testing.T) { groupRebalances(t, c) })
	run(t, "groups_are_independent", func(t *testing.T) { groupsAreIndependent(t, c) })
}

// written creates a topic of one partition with these records in it.
func written(t *testing.T, c client, how writing, records ...record) (topic string) {
	t.Helper()
	topic = fresh(t)
	c.createTopic(t, topic, 1)
	must(t, c.produce(t, topic, how, records...))
	return topic
}

// readBack compares all of partition 0 with what was written.
func readBack(t *testing.T, c client, topic string, want []record) {
	t.Helper()
	r := c.read(t, topic, 0, 0)
	same(t, take(t, r, len(want)), want, 0)
	r.close(t)
}

func compression(t *testing.T, c client, codec string) {
	records := numbered(500)
	for i := range records {
		// Some compress well, some not at all.
		records[i].value = bytes.Repeat([]byte{byte(rand.IntN(256))}, rand.IntN(1000)+1)
	}
	topic := written(t, c, writing{codec: codec}, records...)
	readBack(t, c, topic, records)
	// From the middle, which is the middle of a batch: what is before is not shown.
	r := c.read(t, topic, 0, 250)
	same(t, take(t, r, 10), records[250:260], 250)
	r.close(t)
}

func acknowledged(t *testing.T, c client, acks string) {
	records := numbered(100)
	topic := written(t, c, writing{acks: acks}, records...)
	readBack(t, c, topic, records)
}

func keys(t *testing.T, c client) {
	records := []record{
		{key: []byte("k"), value: []byte("v")},
		{value: []byte("no key")},
		{key: []byte("no value")},
		{key: []byte{0, 255, '\n'}, value: []byte{255, 0}},
	}
	readBack(t, c, written(t, c, writing{}, records...), records)
}

func headers(t *testing.T, c client) {
	records := []record{
		{value: []byte("none")},
		{value: []byte("some"), headers: []header{{"alpha", "1"}, {"beta", ""}, {"alpha", "again"}, {"ünïcode", "\x00\xff"}}},
	}
	readBack(t, c, written(t, c, writing{}, records...), records)
}

func timestamps(t *testing.T, c client) {
	now := time.Now().Truncate(time.Millisecond)
	records := numbered(4)
	for i, at := range []time.Time{now, now.Add(-72 * time.Hour), now.Add(time.Minute), time.UnixMilli(1)} {
		records[i].time = at
	}
	readBack(t, c, written(t, c, writing{}, records...), records)
	// The client's own clock, where it is not told a time.
	topic := written(t, c, writing{}, numbered(1)...)
	r := c.read(t, topic, 0, 0)
	if at := r.next(t).time; at.Before(now) || at.After(time.Now()) {
		t.Errorf("written at %v, before %v or after now", at, now)
	}
	r.close(t)
}

func largeRecord(t *testing.T, c client) {
	value := make([]byte, 900_000)
	for i := range value {
		value[i] = byte(rand.IntN(256))
	}
	records := []record{{value: value}, {value: []byte("after")}}
	readBack(t, c, written(t, c, writing{}, records...), records)
}

func recordTooLarge(t *testing.T, c client) {
	topic := written(t, c, writing{}, numbered(1)...)
	err := c.produce(t, topic, writing{}, record{value: make([]byte, 3_000_000)})
	if err == nil {
		t.Fatal("3 MB were taken")
	}
	if said := strings.ToLower(err.Error()); !strings.Contains(said, "too large") && !strings.Contains(said, "larger than") {
		t.Fatal(err)
	}
	// Nothing of it is in the log, and the log goes on.
	must(t, c.produce(t, topic, writing{}, numbered(1)...))
	readBack(t, c, topic, append(numbered(1), numbered(1)...))
}

func partitions(t *testing.T, c client) {
	topic := fresh(t)
	c.createTopic(t, topic, 3)
	var want [3][]record
	var all []record
	for i := range 30 {
		r := record{partition: int32(i % 3), value: fmt.Append(nil, i)}
		all = append(all, r)
		want[i%3] = append(want[i%3], r)
	}
	must(t, c.produce(t, topic, writing{}, all...))
	for p := range want {
		r := c.read(t, topic, int32(p), 0)
		same(t, take(t, r, len(want[p])), want[p], 0)
		r.close(t)
	}
}

func offsetByTime(t *testing.T, c client) {
	start := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	records := numbered(10)
	for i := range records {
		records[i].time = start.Add(time.Duration(i) * time.Minute)
	}
	topic := written(t, c, writing{codec: "gzip"}, records...)
	for _, want := range []struct {
		at     time.Duration
		offset int64
	}{
		{-time.Hour, 0},
		{0, 0},
		{time.Millisecond, 1},
		{5 * time.Minute, 5},
		{9 * time.Minute, 9},
		{9*time.Minute + time.Millisecond, -1},
	} {
		equal(t, fmt.Sprintf("offset %v after the first record", want.at), c.offsetAt(t, topic, 0, start.Add(want.at)), want.offset)
	}
}

func produceCreatesTopic(t *testing.T, c client) {
	topic := fresh(t)
	must(t, c.produce(t, topic, writing{}, numbered(3)...))
	readBack(t, c, topic, numbered(3))
}

func unknownTopic(t *testing.T, c client) {
	err := c.unknownTopic(t, fresh(t))
	if err == nil {
		t.Fatal("no error")
	}
	said := strings.ToLower(strings.ReplaceAll(err.Error(), "_", " "))
	if !strings.Contains(said, "unknown topic") && !strings.Contains(said, "does not exist") {
		t.Fatal(err)
	}
}

func seek(t *testing.T, c client) {
	records := numbered(100)
	topic := written(t, c, writing{codec: "lz4"}, records...)
	r := c.read(t, topic, 0, 0)
	same(t, take(t, r, 20), records[:20], 0)
	r.seek(t, 90)
	same(t, take(t, r, 10), records[90:], 90)
	r.seek(t, 5)
	same(t, take(t, r, 10), records[5:15], 5)
	r.close(t)
}

// A fetch that waits at the end is answered as soon as there is a record.
func waitingReaderWakes(t *testing.T, c client) {
	topic := written(t, c, writing{}, numbered(1)...)
	r := c.read(t, topic, 0, 0)
	take(t, r, 1)
	for i := range 5 {
		must(t, c.produce(t, topic, writing{}, numbered(1)...))
		equal(t, "offset", r.next(t).offset, int64(i+1))
	}
	r.close(t)
}

func groupResumes(t *testing.T, c client) {
	topic, group := written(t, c, writing{}, numbered(20)...), fresh(t)
	m := c.join(t, group, topic)
	var last record
	for i := range 10 {
		last = receive(t, "a record", m.records())
		equal(t, "first member: offset", last.offset, int64(i))
	}
	m.commit(t, last)
	m.leave(t)

	m = c.join(t, group, topic)
	for i := range 10 {
		last = receive(t, "a record", m.records())
		equal(t, "second member: offset", last.offset, int64(10+i))
	}
	m.commit(t, last)
	m.leave(t)

	must(t, c.produce(t, topic, writing{}, numbered(1)...))
	m = c.join(t, group, topic)
	equal(t, "third member: offset", receive(t, "a record", m.records()).offset, 20)
	m.leave(t)
}

// groupRebalances lets a second member join and leave again while records are
// written. Rounds of one record to each partition go on until a round has reached
// both members, or the one that is left: which partitions a member has is the
// business of the client's strategy, and not every client tells.
func groupRebalances(t *testing.T, c client) {
	const partitions = 4
	topic, group := fresh(t), fresh(t)
	c.createTopic(t, topic, partitions)
	next := int64(0) // the offset of the next round, in every partition
	round := func(members ...member) (shares []int) {
		t.Helper()
		var records []record
		for p := range int32(partitions) {
			records = append(records, record{partition: p, value: []byte("round")})
		}
		must(t, c.produce(t, topic, writing{}, records...))
		shares = make([]int, len(members))
		seen := map[int32]bool{}
		limit := within(t)
		for len(seen) < partitions {
			// A record that came before a rebalance may come again: only this round's count.
			var r record
			var from int
			switch len(members) {
			case 1:
				r = receive(t, "a record", members[0].records())
			default:
				select {
				case r = <-members[0].records():
				case r = <-members[1].records():
					from = 1
				case <-limit.Done():
					t.Fatalf("of round %d only partitions %v came", next, seen)
				}
			}
			if r.offset == next {
				if !seen[r.partition] {
					shares[from]++
				}
				seen[r.partition] = true
			}
		}
		next++
		return shares
	}
	first := c.join(t, group, topic)
	equal(t, "share of the only member", round(first)[0], partitions)
	second := c.join(t, group, topic)
	limit := within(t)
	for shares := []int{0, 0}; shares[0] != partitions/2 || shares[1] != partitions/2; {
		if limit.Err() != nil {
			t.Fatalf("the members never shared the work: last %v", shares)
		}
		shares = round(first, second)
	}
	first.leave(t)
	equal(t, "share of the one that stayed", round(second)[0], partitions)
	second.leave(t)
}

func groupsAreIndependent(t *testing.T, c client) {
	topic := written(t, c, writing{}, numbered(5)...)
	one, two := c.join(t, fresh(t), topic), c.join(t, fresh(t), topic)
	for i := range 5 {
		equal(t, "one: offset", receive(t, "a record", one.records()).offset, int64(i))
		equal(t, "two: offset", receive(t, "a record", two.records()).offset, int64(i))
	}
	one.leave(t)
	two.leave(t)
}

// pause is for clients that have it. While a partition is paused the records of
// others come, and afterwards nothing of it is missing.
func pause(t *testing.T, c client) {
	topic := fresh(t)
	c.createTopic(t, topic, 2)
	must(t, c.produce(t, topic, writing{}, numbered(1)...))
	r := c.read(t, topic, 0, 0).(pauser)
	equal(t, "offset", r.next(t).offset, 0)
	r.pause(t)
	// A fetch that was under way may still bring something of the paused partition. The
	// first record of the other one came with a later fetch.
	other := record{partition: 1, value: []byte("other")}
	must(t, c.produce(t, topic, writing{}, other))
	r.also(t, 1)
	equal(t, "partition while the first is paused", r.next(t).partition, 1)
	must(t, c.produce(t, topic, writing{}, numbered(5)...))
	for range 3 {
		must(t, c.produce(t, topic, writing{}, other))
		equal(t, "partition while the first is paused", r.next(t).partition, 1)
	}
	r.resume(t)
	for i := range 5 {
		have := r.next(t)
		equal(t, "partition", have.partition, 0)
		equal(t, "offset", have.offset, int64(i+1))
	}
	r.close(t)
}

// idempotent is for clients that have an idempotent producer: many batches, some
// of them in flight at once.
func idempotent(t *testing.T, c client) {
	records := numbered(5000)
	topic := written(t, c, writing{idempotent: true}, records[:2500]...)
	must(t, c.produce(t, topic, writing{idempotent: true, codec: "lz4"}, records[2500:]...))
	readBack(t, c, topic, records)
}
