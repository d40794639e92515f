package txn

import "github.com/twmb/franz-go/pkg/kerr"

// stockSize is how many producer ids a shard keeps ready. They are lost when it ends.
const stockSize = 8

// producerID gives out one of the stock.
func (s *core) producerID() (id int64, ok bool) {
	if len(s.stock) == 0 {
		return 0, false
	}
	id = s.stock[0]
	s.stock = s.stock[1:]
	return id, true
}

// park keeps a call until there is a producer id.
func (s *core) park(c call) { s.parked = append(s.parked, c) }

// refill fetches producer ids, without waiting for them. At first, and after a failure, it does
// so only for who waits.
func (s *core) refill() {
	n := len(s.parked) + stockSize - len(s.stock)
	if s.fetching || s.lost || n <= stockSize/2 || s.dry && len(s.parked) == 0 {
		return
	}
	s.fetching = true
	s.spawn(func() {
		c := &idsCall{}
		for len(c.ids) < n && c.err == nil {
			var id int64
			if id, c.err = s.opts.NextProducerID(s.ctx); c.err == nil {
				c.ids = append(c.ids, id)
			}
		}
		s.Send(c)
	})
}

// idsCall brings producer ids.
type idsCall struct {
	ids []int64
	err error
}

func (c *idsCall) Fail(error) {}
func (c *idsCall) handle(s *core) {
	s.fetching, s.dry = false, c.err != nil
	s.stock = append(s.stock, c.ids...)
	parked := s.parked
	s.parked = nil
	if c.err != nil {
		s.opts.Logger.Warn("no producer id can be given out", "err", c.err)
	}
	for i, p := range parked {
		if len(s.stock) == 0 && c.err != nil {
			// What Kafka says while it has no block of ids. Clients come again.
			for _, p := range parked[i:] {
				p.Fail(kerr.CoordinatorLoadInProgress)
			}
			return
		}
		s.handle(p)
	}
}

func (s *core) failParked(err error) {
	for _, p := range s.parked {
		p.Fail(err)
	}
	s.parked = nil
}
