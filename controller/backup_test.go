package controller

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"testing"
)

// filled is a store with n keys beside what a controller of one broker writes.
func filled(t *testing.T, n int) *MemStore {
	t.Helper()
	store := NewMemStore()
	c := start(t, store, Options{}, oneBroker)
	create(t, c, NewTopic{Name: "t", Partitions: 3, ReplicationFactor: 1, Configs: map[string]string{"a": "1"}})
	for i := range n {
		if _, _, err := store.Txn(t.Context(), nil, []Op{Put(fmt.Sprintf("groups/g/%d", i), bytes.Repeat([]byte{byte(i)}, i))}); err != nil {
			t.Fatal(err)
		}
	}
	return store
}

// contents is a store's, but for registrations and revisions.
func contents(t *testing.T, s Store) map[string]string {
	t.Helper()
	kvs, _, err := s.Range(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	m := make(map[string]string)
	for _, kv := range kvs {
		if _, ok := parseBrokerKey(kv.Key); !ok {
			m[kv.Key] = string(kv.Value)
		}
	}
	return m
}

func TestBackupAndBack(t *testing.T) {
	store := filled(t, 1000)
	var b bytes.Buffer
	if err := WriteBackup(t.Context(), store, &b); err != nil {
		t.Fatal(err)
	}
	restored := NewMemStore()
	if empty, err := IsEmpty(t.Context(), restored); err != nil || !empty {
		t.Fatalf("empty %v, %v", empty, err)
	}
	if _, err := ReadBackup(t.Context(), &b, restored); err != nil {
		t.Fatal(err)
	}
	if got, want := contents(t, restored), contents(t, store); !reflect.DeepEqual(got, want) {
		t.Fatalf("%d keys instead of %d", len(got), len(want))
	}
	if empty, err := IsEmpty(t.Context(), restored); err != nil || empty {
		t.Fatalf("empty %v, %v", empty, err)
	}
	c := start(t, restored, Options{}, oneBroker)
	if topic, ok := c.Image().Topic("t"); !ok || len(topic.Partitions) != 3 {
		t.Fatalf("%+v", topic)
	}
}

// counting is a reader that knows how much was read.
type counting struct {
	io.Reader
	n int
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += n
	return n, err
}

// lagging is a store that knows how far its writer was behind what it read.
type lagging struct {
	Store
	from         *counting
	written, lag int
}

func (s *lagging) Txn(ctx context.Context, conds []Cond, ops []Op) (int64, bool, error) {
	s.lag = max(s.lag, s.from.n-s.written)
	for _, op := range ops {
		s.written += len(op.Key) + len(op.Value)
	}
	return s.Store.Txn(ctx, conds, ops)
}

// TestBackupIsNotGathered: of a backup of many large entries, no more is in memory than a transaction holds.
func TestBackupIsNotGathered(t *testing.T) {
	const entry = 100_000
	store := NewMemStore()
	for i := range 8 * MaxTxnBytes / entry {
		if _, _, err := store.Txn(t.Context(), nil, []Op{Put(fmt.Sprintf("groups/g/%d", i), make([]byte, entry))}); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if err := WriteBackup(t.Context(), store, &b); err != nil {
		t.Fatal(err)
	}
	from := &counting{Reader: &b}
	restored := &lagging{Store: NewMemStore(), from: from}
	if _, err := ReadBackup(t.Context(), from, restored); err != nil {
		t.Fatal(err)
	}
	if got, want := contents(t, restored), contents(t, store); !reflect.DeepEqual(got, want) {
		t.Fatalf("%d keys instead of %d", len(got), len(want))
	}
	if restored.lag > MaxTxnBytes+2*entry {
		t.Fatalf("%d bytes had been read and not written", restored.lag)
	}
}

// TestRebuildCutOff: what a rebuild left that did not end counts for nothing, and the next one begins anew.
func TestRebuildCutOff(t *testing.T) {
	if err := BeginRebuild(t.Context(), filled(t, 3)); !errors.Is(err, ErrInUse) {
		t.Fatalf("of a store in use: %v", err)
	}
	store := NewMemStore()
	put := func(key string) {
		if _, _, err := store.Txn(t.Context(), nil, []Op{Put(key, []byte("x"))}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := BeginRebuild(t.Context(), store); err != nil {
			t.Fatal(err)
		}
		if got := contents(t, store); len(got) != 1 {
			t.Fatalf("begun with %v", got)
		}
		put(clusterIDKey)
		for i := range MaxTxnOps + 1 {
			put(fmt.Sprintf("groups/g/%d", i))
		}
		if empty, err := IsEmpty(t.Context(), store); err != nil || !empty {
			t.Fatalf("half-way: empty %v, %v", empty, err)
		}
	}
	if err := EndRebuild(t.Context(), store); err != nil {
		t.Fatal(err)
	}
	if empty, err := IsEmpty(t.Context(), store); err != nil || empty {
		t.Fatalf("ended: empty %v, %v", empty, err)
	}
}

// TestDamagedBackup cuts a backup everywhere and flips a bit of every byte.
func TestDamagedBackup(t *testing.T) {
	var b bytes.Buffer
	if err := WriteBackup(t.Context(), filled(t, 3), &b); err != nil {
		t.Fatal(err)
	}
	whole := b.Bytes()
	if _, err := ReadBackup(t.Context(), bytes.NewReader(whole), nil); err != nil {
		t.Fatal(err)
	}
	for i := range whole {
		if _, err := ReadBackup(t.Context(), bytes.NewReader(whole[:i]), nil); !errors.Is(err, ErrBackup) {
			t.Fatalf("cut to %d bytes: %v", i, err)
		}
		damaged := bytes.Clone(whole)
		damaged[i] ^= 0x10
		if _, err := ReadBackup(t.Context(), bytes.NewReader(damaged), nil); !errors.Is(err, ErrBackup) {
			t.Fatalf("byte %d damaged: %v", i, err)
		}
	}
}

func FuzzReadBackup(f *testing.F) {
	store := NewMemStore()
	store.Txn(f.Context(), nil, []Op{Put("a", []byte("b")), Put(brokerKey(1), nil)})
	var b bytes.Buffer
	if err := WriteBackup(f.Context(), store, &b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, p []byte) {
		if _, err := ReadBackup(t.Context(), bytes.NewReader(p), nil); err != nil && !errors.Is(err, ErrBackup) {
			t.Fatal(err)
		}
	})
}
