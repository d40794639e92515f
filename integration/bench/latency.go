package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// latencyPeriod is how long messages are sent at their rate.
const latencyPeriod = 3 * time.Second

func latencyRows() (list []row) {
	for _, rate := range []int{1000, 10_000} {
		r := row{set: "latency", name: fmt.Sprintf("end to end, %s messages/s of 100 B, a request each, acks=all", show(float64(rate))), run: endToEnd(rate)}
		if rate == 1000 {
			r.aims = []aim{{"end to end, 1,000 messages/s: " + p99.name, p99}}
		}
		list = append(list, r)
	}
	return list
}

// message is an encoded Produce request of one record, whose value begins with a time.
type message struct {
	request      []byte
	batch, value int // where the batch stands in the request, and the value in the batch
	size         int // of the batch
}

func newMessage(w *wire, topic string) (*message, *kmsg.ProduceRequest, error) {
	value := binary.BigEndian.AppendUint64(nil, mark)
	value = append(value, noise.values(1, 92)[0]...)
	batch := encodeBatch([][]byte{value}, false)
	req := produceRequest(topic, -1, batch, 0, 1)
	m := &message{request: w.encode(req), size: len(batch)}
	m.batch = bytes.Index(m.request, batch)
	at, err := find(batch, 1)
	if err != nil || m.batch < 0 {
		return nil, nil, errors.Join(err, errors.New("the batch is not in its request"))
	}
	m.value = at[0]
	return m, req, nil
}

// at gives the message a time.
func (m *message) at(d time.Duration) []byte {
	b := m.request[m.batch : m.batch+m.size]
	binary.BigEndian.PutUint64(b[m.value:], uint64(d))
	stamp(b)
	return m.request
}

// endToEnd sends messages at a rate and reads them at the end of the topic; the latency of each counts from when it was to
// be sent, so that a stall is seen by all whom it met.
func endToEnd(rate int) func(context.Context, load, *broker) ([]measured, error) {
	return func(ctx context.Context, _ load, b *broker) (list []measured, err error) {
		topic, err := newTopic(ctx, b.addr, 1)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, deleteTopic(ctx, b.addr, topic)) }()
		n := rate * int(latencyPeriod/time.Second)
		var took []time.Duration
		c, err := b.costOf(func() error {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			began := time.Now()
			sent := make(chan error, 1)
			go func() {
				err := send(ctx, b.addr, topic, began, rate, n)
				if err != nil {
					cancel()
				}
				sent <- err
			}()
			var err error
			if took, err = receive(ctx, b.addr, topic, began, n); err != nil {
				cancel()
			}
			return errors.Join(err, <-sent)
		})
		if err != nil {
			return nil, err
		}
		return append(latencies(took), measured{cpuPerMessage, c.perMillion(float64(n))}), nil
	}
}

func send(ctx context.Context, addr, topic string, began time.Time, rate, n int) error {
	w, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer w.Close()
	m, req, err := newMessage(w, topic)
	if err != nil {
		return err
	}
	return w.pump(rate, func(i int) []byte {
		if i == n {
			return nil
		}
		due := time.Duration(i) * time.Second / time.Duration(rate)
		if early := time.Until(began.Add(due)); early > 0 {
			time.Sleep(early)
		}
		return m.at(due)
	}, func(_ int, _ time.Duration, answer []byte) error { return checkProduced(w, req, answer) })
}

// receive reads n messages and returns how long each took from its time on.
func receive(ctx context.Context, addr, topic string, began time.Time, n int) (took []time.Duration, err error) {
	w, err := dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	m, _, err := newMessage(w, topic)
	if err != nil {
		return nil, err
	}
	req := fetchRequest(topic, 0, 1<<20, 1, 500*time.Millisecond)
	resp := kmsg.NewPtrFetchResponse()
	for len(took) < n {
		if err := w.ask(req, resp); err != nil {
			return nil, err
		}
		now := time.Since(began)
		p := resp.Topics[0].Partitions[0]
		if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
			return nil, err
		}
		bytes, records := wholeBatches(p.RecordBatches)
		if bytes != int(records)*m.size {
			return nil, fmt.Errorf("%d messages in %d bytes, want %d in each", records, bytes, m.size)
		}
		for b := p.RecordBatches[:bytes]; len(b) > 0; b = b[m.size:] {
			took = append(took, now-time.Duration(binary.BigEndian.Uint64(b[m.value:])))
		}
		req.Topics[0].Partitions[0].FetchOffset += records
	}
	return took, nil
}
