package compact

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestOffsetMap(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, bytes := range []int64{0, 24, 1000, 100_000, 1 << 20, 4 << 20} {
		m := NewOffsetMap(bytes, 0.9)
		want := map[string]int64{}
		full := false
		for offset := range int64(200_000) {
			key := fmt.Append(nil, rng.IntN(1+2*int(bytes)/entryBytes))
			_, known := want[string(key)]
			if m.Put(key, offset) {
				want[string(key)] = offset
			} else if full = true; known {
				t.Fatalf("%d bytes: no room for a key that is there", bytes)
			}
		}
		if most := max(1, int(float64(max(2, bytes/entryBytes))*0.9)); m.Len() != len(want) || m.Len() > most || full && m.Len() < most*98/100 {
			t.Errorf("%d bytes: %d keys, %d put, full %v, %d should fit", bytes, m.Len(), len(want), full, most)
		}
		if m.Bytes() > max(bytes, 2*entryBytes) {
			t.Errorf("%d bytes are allowed, %d taken", bytes, m.Bytes())
		}
		for key, offset := range want {
			if got := m.Get([]byte(key)); got != offset {
				t.Fatalf("%s: %d, want %d", key, got, offset)
			}
		}
		for i := range 1000 {
			if got := m.Get(fmt.Append(nil, "absent", i)); got != -1 {
				t.Fatalf("a key that was never put has offset %d", got)
			}
		}
		m.Free()
		if m.Bytes() != 0 || m.Put([]byte("k"), 1) {
			t.Error("memory in use after Free")
		}
	}
}

// TestOffsetMapMemory: a million keys in the default buffer take less than 33 MiB, whatever the buffer would allow.
func TestOffsetMapMemory(t *testing.T) {
	m := NewOffsetMap(128<<20, 0.9)
	defer m.Free()
	var key [8]byte
	for i := range int64(1_000_000) {
		binary.BigEndian.PutUint64(key[:], uint64(i))
		if !m.Put(key[:], i) {
			t.Fatal(m.Err())
		}
		if n := i + 1; n >= 100_000 && n%10_000 == 0 && m.Bytes() > n*entryBytes*3/2 {
			t.Fatalf("%d bytes for %d keys", m.Bytes(), n)
		}
	}
	if mib := m.Bytes() >> 20; mib > 33 {
		t.Errorf("%d MiB for a million keys", mib)
	}
}

func BenchmarkOffsetMap(b *testing.B) {
	m := NewOffsetMap(128<<20, 0.9)
	defer m.Free()
	key := []byte("some-prefix-00000000")
	const keys = 1 << 20
	for i := range int64(keys) {
		binary.BigEndian.PutUint64(key[12:], uint64(i))
		m.Put(key, i)
	}
	b.Run("put", func(b *testing.B) {
		for i := range b.N {
			binary.BigEndian.PutUint64(key[12:], uint64(i)%keys)
			m.Put(key, int64(i))
		}
	})
	b.Run("get", func(b *testing.B) {
		for i := range b.N {
			binary.BigEndian.PutUint64(key[12:], uint64(i)%keys)
			m.Get(key)
		}
	})
	b.Run("absent", func(b *testing.B) {
		for i := range b.N {
			binary.BigEndian.PutUint64(key[12:], keys+uint64(i))
			m.Get(key)
		}
	})
}
