package api

import (
	"context"
	"errors"
	"sync"
)

// ProducerIDs gives out producer ids from blocks that the metadata store
// reserves for this broker. Ids of a block that were not given out when the
// broker stops are lost, as in Kafka: an id is never used twice.
//
// The next block is asked for while the last tenth of the present one is given
// out, so that a producer hardly ever waits for the store. No lock is held while
// the store works.
type ProducerIDs struct {
	blocks  ProducerIDBlocks
	ctx     context.Context // ends the requests to the store
	cancel  context.CancelFunc
	fetches sync.WaitGroup

	mu      sync.Mutex
	present idBlock
	spare   idBlock    // used when present is empty
	fetch   *idRequest // under way, or nil
}

// idBlock is the ids from next to end-1, and how many there were at first.
type idBlock struct {
	next, end int64
	size      int64
}

// idRequest is one request to the store. err is set before done is closed.
type idRequest struct {
	done chan struct{}
	err  error
}

// ProducerIDBlocks reserves blocks of ids (Controller does).
type ProducerIDBlocks interface {
	// AllocateProducerIDs reserves the ids from first to first+count-1 for good.
	AllocateProducerIDs(ctx context.Context) (first int64, count int32, err error)
}

// NewProducerIDs returns an empty cache. Nothing is reserved before somebody
// asks.
func NewProducerIDs(blocks ProducerIDBlocks) *ProducerIDs {
	ctx, cancel := context.WithCancel(context.Background())
	return &ProducerIDs{blocks: blocks, ctx: ctx, cancel: cancel}
}

// Close ends requests that are under way and waits for them. Next fails
// afterwards once the ids at hand are used up.
func (p *ProducerIDs) Close() {
	p.mu.Lock()
	p.cancel() // under mu: nothing is asked for any more once it is released
	p.mu.Unlock()
	p.fetches.Wait()
}

// Next returns an id that nobody had before. It waits for the store if there is
// none at hand, and fails as the store does or as ctx does when that ends first.
func (p *ProducerIDs) Next(ctx context.Context) (int64, error) {
	for {
		id, ok, fetch := p.take()
		if ok {
			return id, nil
		}
		if fetch == nil {
			return 0, errProducerIDsClosed
		}
		select {
		case <-fetch.done:
			if fetch.err != nil {
				return 0, fetch.err
			}
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

var errProducerIDsClosed = errors.New("no producer ids any more: the broker is stopping")

// take answers an id, or the request that will bring some; neither after Close.
func (p *ProducerIDs) take() (id int64, ok bool, fetch *idRequest) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.present.next == p.present.end {
		p.present, p.spare = p.spare, idBlock{}
	}
	left := p.present.end - p.present.next
	if left > 0 {
		id, ok = p.present.next, true
		p.present.next++
		left--
	}
	if left <= p.present.size/10 && p.spare.size == 0 && p.fetch == nil && p.ctx.Err() == nil {
		p.fetch = &idRequest{done: make(chan struct{})}
		request := p.fetch
		p.fetches.Go(func() { p.run(request) })
	}
	return id, ok, p.fetch
}

// run carries out one request to the store.
func (p *ProducerIDs) run(r *idRequest) {
	first, count, err := p.blocks.AllocateProducerIDs(p.ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.err = err; err == nil {
		p.spare = idBlock{first, first + int64(count), int64(count)}
	}
	p.fetch = nil
	close(r.done)
}
