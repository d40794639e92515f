package api

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
)

// blockStore gives out blocks of ten ids, each when the test lets it.
type blockStore struct {
	let  chan error // what the next request answers
	mu   sync.Mutex
	next int64
}

func (s *blockStore) AllocateProducerIDs(ctx context.Context) (int64, int32, error) {
	select {
	case err := <-s.let:
		s.mu.Lock()
		defer s.mu.Unlock()
		first := s.next
		if err == nil {
			s.next += 10
		}
		return first, 10, err
	case <-ctx.Done():
		return 0, 0, ctx.Err()
	}
}

// Many ask at once and every id is given out once; there is one request to the
// store at a time, however many wait.
func TestProducerIDsAreDistinct(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &blockStore{let: make(chan error)}
		ids := NewProducerIDs(store)
		defer ids.Close()
		var mu sync.Mutex
		seen := map[int64]bool{}
		var askers sync.WaitGroup
		for range 100 {
			askers.Go(func() {
				id, err := ids.Next(t.Context())
				mu.Lock()
				defer mu.Unlock()
				if err != nil || seen[id] {
					t.Errorf("id %d a second time, or %v", id, err)
				}
				seen[id] = true
			})
		}
		for range 10 {
			store.let <- nil
		}
		askers.Wait()
		if len(seen) != 100 {
			t.Errorf("%d ids for 100 producers", len(seen))
		}
	})
}

// The next block is asked for while there still are ids.
func TestProducerIDsPrefetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &blockStore{let: make(chan error, 1)}
		ids := NewProducerIDs(store)
		defer ids.Close()
		store.let <- nil
		for want := range int64(9) {
			if id, err := ids.Next(t.Context()); id != want || err != nil {
				t.Fatalf("id %d, %v, want %d", id, err, want)
			}
		}
		// One is left, and a request waits for the store, which lets it through now:
		// nobody has to wait for it.
		store.let <- nil
		synctest.Wait()
		if len(store.let) != 0 {
			t.Error("nobody asked for the next block")
		}
		for want := int64(9); want < 15; want++ {
			if id, err := ids.Next(t.Context()); id != want || err != nil {
				t.Fatalf("id %d, %v, want %d", id, err, want)
			}
		}
	})
}

func TestProducerIDsFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &blockStore{let: make(chan error, 1)}
		ids := NewProducerIDs(store)
		broken := errors.New("broken")
		store.let <- broken
		if _, err := ids.Next(t.Context()); !errors.Is(err, broken) {
			t.Errorf("%v instead of the store's error", err)
		}
		store.let <- nil
		if id, err := ids.Next(t.Context()); id != 0 || err != nil {
			t.Errorf("after a failure: %d, %v", id, err)
		}
		ids.Close()
		for range 9 { // what is at hand may still be used
			if _, err := ids.Next(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := ids.Next(t.Context()); err == nil {
			t.Error("an id from nowhere")
		}
	})
}

// Who does not want to wait any longer is let go; Close ends what is under way.
func TestProducerIDsGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ids := NewProducerIDs(&blockStore{let: make(chan error)})
		ctx, cancel := context.WithCancel(t.Context())
		result := make(chan error, 2)
		go func() { _, err := ids.Next(ctx); result <- err }()
		synctest.Wait()
		cancel()
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		go func() { _, err := ids.Next(t.Context()); result <- err }()
		synctest.Wait()
		ids.Close()
		if err := <-result; err == nil {
			t.Error("an id from nowhere")
		}
	})
}
