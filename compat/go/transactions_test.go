package clients

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// transactional is a client that has transactions.
type transactional interface {
	client
	// transact makes a producer of transactions, whose id nobody had before or whose
	// last user it fences.
	transact(t *testing.T, id string, how transacting) transactor
	// readAs is read from the beginning, as a consumer of committed data or as one of all.
	readAs(t *testing.T, isolation isolation, topic string, partition int32) reader
}

// isolation is a consumer's: whether it sees what is open and what is aborted.
type isolation bool

const (
	readCommitted   isolation = true
	readUncommitted isolation = false
)

// transacting is how transactions are written. The zero value is without
// compression and a timeout of a minute.
type transacting struct {
	codec   string
	timeout time.Duration
}

func (h transacting) timeoutOr(d time.Duration) time.Duration {
	if h.timeout > 0 {
		return h.timeout
	}
	return d
}

// transactor is a producer of transactions, one after the other.
type transactor interface {
	begin(t *testing.T)
	// send returns when the broker has answered, with the first error.
	send(t *testing.T, topic string, records ...record) error
	end(t *testing.T, commit bool) error
}

// transactions runs the cases of every client that has transactions.
func transactions(t *testing.T, c transactional) {
	for name, f := range map[string]func(*testing.T, transactional){
		"transaction_commit":  transactionCommit,
		"transaction_abort":   transactionAbort,
		"transaction_empty":   transactionEmpty,
		"transaction_open":    transactionOpen,
		"transaction_fenced":  transactionFenced,
		"transaction_timeout": transactionTimeout,
	} {
		run(t, name, func(t *testing.T) { f(t, c) })
	}
	for _, codec := range []string{"none", "gzip", "snappy", "lz4", "zstd"} {
		run(t, "transaction_"+codec, func(t *testing.T) { transactionCompressed(t, c, codec) })
	}
}

// texts makes records of a partition.
func texts(partition int32, values ...string) []record {
	records := make([]record, len(values))
	for i, v := range values {
		records[i] = record{partition: partition, value: []byte(v)}
	}
	return records
}

// transaction is a whole one.
func transaction(t *testing.T, p transactor, commit bool, topic string, records ...record) {
	t.Helper()
	p.begin(t)
	must(t, p.send(t, topic, records...))
	must(t, p.end(t, commit))
}

// reads compares all that a reader brings with the values; a last record, written
// now, says where all is.
func reads(t *testing.T, c client, r reader, topic string, partition int32, values ...string) {
	t.Helper()
	must(t, c.produce(t, topic, writing{}, texts(partition, "the last")...))
	var have []string
	for {
		v := string(r.next(t).value)
		if v == "the last" {
			break
		}
		have = append(have, v)
	}
	if !slices.Equal(have, values) {
		t.Fatalf("read %.300q, want %.300q", have, values)
	}
	r.close(t)
}

// stable waits until the last stable offset of a partition is this one.
func stable(t *testing.T, topic string, partition int32, offset int64) {
	t.Helper()
	adm := franz{}.admin(t)
	until(t, "the last stable offset", func() bool {
		listed, err := adm.ListCommittedOffsets(within(t), topic)
		must(t, err)
		o, _ := listed.Lookup(topic, partition)
		return o.Err == nil && o.Offset == offset
	})
}

// Of several partitions and topics; markers take an offset each.
func transactionCommit(t *testing.T, c transactional) {
	topic, other := fresh(t), fresh(t)
	c.createTopic(t, topic, 2)
	c.createTopic(t, other, 1)
	p := c.transact(t, fresh(t), transacting{})
	p.begin(t)
	must(t, p.send(t, topic, append(texts(0, "a", "b"), texts(1, "c")...)...))
	must(t, p.send(t, other, texts(0, "d")...))
	stable(t, topic, 0, 0)
	must(t, p.end(t, true))
	stable(t, topic, 0, 3)
	stable(t, topic, 1, 2)
	stable(t, other, 0, 2)
	transaction(t, p, true, topic, texts(1, "e")...)
	reads(t, c, c.readAs(t, readCommitted, topic, 0), topic, 0, "a", "b")
	reads(t, c, c.readAs(t, readCommitted, topic, 1), topic, 1, "c", "e")
	reads(t, c, c.readAs(t, readCommitted, other, 0), other, 0, "d")
}

func transactionAbort(t *testing.T, c transactional) {
	topic := fresh(t)
	c.createTopic(t, topic, 2)
	p := c.transact(t, fresh(t), transacting{})
	transaction(t, p, true, topic, texts(0, "before")...)
	transaction(t, p, false, topic, append(texts(0, "aborted 1", "aborted 2"), texts(1, "aborted 3")...)...)
	transaction(t, p, true, topic, texts(0, "after")...)
	reads(t, c, c.readAs(t, readCommitted, topic, 0), topic, 0, "before", "after")
	reads(t, c, c.readAs(t, readCommitted, topic, 1), topic, 1)
	reads(t, c, c.readAs(t, readUncommitted, topic, 1), topic, 1, "aborted 3")
}

func transactionEmpty(t *testing.T, c transactional) {
	topic := fresh(t)
	c.createTopic(t, topic, 1)
	p := c.transact(t, fresh(t), transacting{})
	for _, commit := range []bool{true, false, false, true} {
		p.begin(t)
		must(t, p.end(t, commit))
	}
	transaction(t, p, true, topic, texts(0, "something")...)
	stable(t, topic, 0, 2)
	reads(t, c, c.readAs(t, readCommitted, topic, 0), topic, 0, "something")
}

// Many batches, of which a half is aborted.
func transactionCompressed(t *testing.T, c transactional, codec string) {
	topic := fresh(t)
	c.createTopic(t, topic, 1)
	p := c.transact(t, fresh(t), transacting{codec: codec})
	var want []string
	for i := range 6 {
		var records []record
		for _, r := range numbered(400) {
			r.value = append(r.value, strings.Repeat(" value", i+1)...)
			records = append(records, r)
			if i%2 == 1 {
				want = append(want, string(r.value))
			}
		}
		transaction(t, p, i%2 == 1, topic, records...)
	}
	reads(t, c, c.readAs(t, readCommitted, topic, 0), topic, 0, want...)
}

// Whatever stands behind an open transaction waits for its end.
func transactionOpen(t *testing.T, c transactional) {
	topic := fresh(t)
	c.createTopic(t, topic, 1)
	open, other := c.transact(t, fresh(t), transacting{}), c.transact(t, fresh(t), transacting{})
	transaction(t, other, true, topic, texts(0, "before")...)
	open.begin(t)
	must(t, open.send(t, topic, texts(0, "open")...))
	transaction(t, other, true, topic, texts(0, "behind")...)
	must(t, c.produce(t, topic, writing{}, texts(0, "plain")...))
	stable(t, topic, 0, 2)
	r := c.readAs(t, readCommitted, topic, 0)
	equal(t, "first value", string(r.next(t).value), "before")
	u := c.readAs(t, readUncommitted, topic, 0)
	for _, want := range []string{"before", "open", "behind", "plain"} {
		equal(t, "uncommitted value", string(u.next(t).value), want)
	}
	u.close(t)
	must(t, open.end(t, false))
	reads(t, c, r, topic, 0, "behind", "plain")
}

// A second producer with its id ends what the first has open; the first is told.
func transactionFenced(t *testing.T, c transactional) {
	topic, id := fresh(t), fresh(t)
	c.createTopic(t, topic, 1)
	first := c.transact(t, id, transacting{})
	transaction(t, first, true, topic, texts(0, "kept")...)
	first.begin(t)
	must(t, first.send(t, topic, texts(0, "first")...))
	second := c.transact(t, id, transacting{})
	transaction(t, second, true, topic, texts(0, "second")...)
	err := first.end(t, true)
	if err == nil {
		t.Fatal("a fenced producer has committed")
	}
	// PRODUCER_FENCED is younger than sarama's list of errors.
	if said := strings.ToLower(err.Error()); !strings.Contains(said, "fenced") && !strings.Contains(said, "epoch") && !strings.HasSuffix(said, "error code = 90") {
		t.Fatal(err)
	}
	transaction(t, second, true, topic, texts(0, "second again")...)
	reads(t, c, c.readAs(t, readCommitted, topic, 0), topic, 0, "kept", "second", "second again")
}

// The broker looks for such transactions every ten seconds.
func transactionTimeout(t *testing.T, c transactional) {
	topic := fresh(t)
	c.createTopic(t, topic, 1)
	slow := c.transact(t, fresh(t), transacting{timeout: time.Second})
	slow.begin(t)
	must(t, slow.send(t, topic, texts(0, "too slow")...))
	must(t, c.produce(t, topic, writing{}, texts(0, "behind")...))
	r := c.readAs(t, readCommitted, topic, 0)
	equal(t, "value after the timeout", string(r.next(t).value), "behind")
	if err := slow.end(t, true); err == nil {
		t.Fatal("what timed out was committed")
	}
	reads(t, c, r, topic, 0)
}

// offsetOf is what a group has committed in partition 0 of a topic, -1 without.
func offsetOf(t *testing.T, adm *kadm.Client, group, topic string) int64 {
	t.Helper()
	committed, err := adm.FetchOffsets(within(t), group)
	must(t, err)
	if o, ok := committed.Lookup(topic, 0); ok {
		return o.At
	}
	return -1
}

// offsetsInTransactions commits a group's offsets with what is given, which does so
// in the transaction of p.
func offsetsInTransactions(t *testing.T, p transactor, group, topic string, add func(offset int64)) {
	adm := franz{}.admin(t)
	for _, step := range []struct {
		offset int64
		commit bool
		want   int64
	}{{3, true, 3}, {7, false, 3}, {5, true, 5}} {
		before := offsetOf(t, adm, group, topic)
		p.begin(t)
		add(step.offset)
		equal(t, "offset before the end", offsetOf(t, adm, group, topic), before)
		must(t, p.end(t, step.commit))
		until(t, "the offset", func() bool { return offsetOf(t, adm, group, topic) == step.want })
	}
}
