package txn

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
)

// client is a producer of the simulation: live is its program, a coroutine that the world resumes with each answer.
type client struct {
	s       *sim
	name    string
	id      string // two clients share each
	new     bool   // it speaks the new protocol
	next    func() (*rpc, bool)
	stop    func()
	current *rpc
	gone    bool
	txns    int
}

// rpc is one request. serve has it carried out, each time that a copy arrives.
type rpc struct {
	serve func(answer func(any))
	txn   int // of the client
	resp  any
}

var errNoAnswer = errors.New("sim: no answer")

// resume lets the client go on until its next request, and sends that.
func (c *client) resume() {
	if c.gone {
		return
	}
	r, ok := c.next()
	if !ok {
		return
	}
	c.current = r
	r.txn = c.txns
	s := c.s
	copies := 1
	if s.chance(15) {
		copies = 2
	}
	for range copies {
		s.post(func() {
			// Of the old protocol nothing may arrive after its transaction, which a connection sees to: it has no defence
			// against that, which is why there is a new one.
			if !c.new && (r.txn != c.txns || c.current != r) {
				return
			}
			r.serve(func(resp any) {
				if s.chance(5) {
					return
				}
				s.post(func() {
					if c.current == r {
						r.resp = resp
						c.current = nil
						c.resume()
					}
				})
			})
		})
	}
	s.net = append(s.net, message{s.now + 500 + s.rng.Int64N(5000), func() {
		if c.current == r {
			r.resp = errNoAnswer
			c.current = nil
			c.resume()
		}
	}})
}

// live is a life of transactions, after each crash anew.
func (c *client) live(yield func(*rpc) bool) {
	s := c.s
	// do sends a request until there is an answer that is final; false: the client is gone, or dies here.
	do := func(serve func(func(any)), errOf func(any) error) (any, error, bool) {
		for range 40 {
			r := &rpc{serve: serve}
			if !yield(r) || s.chance(1) {
				return nil, nil, false
			}
			err, lost := r.resp.(error)
			if !lost || err != errNoAnswer {
				err = errOf(r.resp)
			}
			if err == errNoAnswer || errors.Is(err, kerr.ConcurrentTransactions) || errors.Is(err, kerr.CoordinatorNotAvailable) ||
				errors.Is(err, kerr.CoordinatorLoadInProgress) || errors.Is(err, kerr.NotCoordinator) {
				continue
			}
			return r.resp, err, true
		}
		return nil, nil, false
	}
	version := int16(4)
	if c.new {
		version = 5
	}
	for !c.gone {
		c.txns++
		resp, err, ok := do(func(answer func(any)) {
			call := &initCall{InitProducerIDRequest{version, c.id, 1000 + int32(s.rng.IntN(4000)), -1, -1}, make(chan InitProducerIDResponse, 1)}
			ask(s.to(), call, call.ch, func(r InitProducerIDResponse) { answer(r) })
		}, func(resp any) error { return resp.(InitProducerIDResponse).Err })
		if !ok || err != nil {
			continue
		}
		s.log("%s begins: %v", c.name, resp)
		producer := resp.(InitProducerIDResponse)
		for alive := true; alive && !c.gone; {
			c.txns++
			pid, epoch := producer.ProducerID, producer.Epoch // late copies of requests keep them
			name := fmt.Sprintf("%s/%d", c.name, c.txns)
			l := &label{written: make(map[string]bool)}
			s.labels[name] = l
			s.order = append(s.order, name)
			healthy := true
			for w := range 1 + s.rng.IntN(4) {
				log := s.logs[s.rng.IntN(2)]
				value := fmt.Sprintf("%s#%d", name, w)
				if !c.new {
					_, err, ok := do(func(answer func(any)) {
						call := &addCall{AddPartitionsRequest{3, c.id, pid, epoch, []TopicPartition{log.tp}}, make(chan error, 1)}
						ask(s.to(), call, call.ch, func(err error) { answer(errAnswer{err}) })
					}, unwrapAnswer)
					if !ok || err != nil {
						healthy, alive = false, ok
						break
					}
				}
				_, err, ok := do(func(answer func(any)) {
					c.produce(log, pid, epoch, name, value, func(err error) { answer(errAnswer{err}) })
				}, unwrapAnswer)
				if !ok || err != nil {
					healthy, alive = false, ok
					break
				}
				l.written[value] = true
			}
			if !alive {
				break
			}
			commit := healthy && s.rng.IntN(4) > 0
			l.askedCommit = commit
			if s.chance(5) {
				l.askedCommit = false
				break // it goes away without a word
			}
			s.log("%s ends as (%d,%d): commit=%v", name, pid, epoch, commit)
			resp, err, ok := do(func(answer func(any)) {
				call := &endCall{EndTxnRequest{version, c.id, pid, epoch, commit}, make(chan EndTxnResponse, 1)}
				ask(s.to(), call, call.ch, func(r EndTxnResponse) { answer(r) })
			}, func(resp any) error { return resp.(EndTxnResponse).Err })
			s.log("%s has ended: %v %v", name, err, ok)
			if !ok || err != nil {
				s.counts["ended by another"]++
				break
			}
			if commit {
				l.committed = true
				s.counts["commit acknowledged"]++
			} else {
				l.aborted = true
				s.counts["abort acknowledged"]++
			}
			if c.new {
				end := resp.(EndTxnResponse)
				if end.ProducerID != pid {
					s.counts["epochs used up"]++
				}
				producer.ProducerID, producer.Epoch = end.ProducerID, end.Epoch
			}
		}
	}
}

// errAnswer tells the answer "no error" from none.
type errAnswer struct{ err error }

func unwrapAnswer(resp any) error { return resp.(errAnswer).err }

// produce is the partition's leader: before the first write of a transaction it asks the coordinator, which with the new
// protocol adds the partition, and what was answered holds only if no marker came meanwhile.
func (c *client) produce(log *simLog, pid int64, epoch int16, label, value string, answer func(error)) {
	s := c.s
	p := log.producer(pid)
	marks := p.marks
	write := func() { answer(log.append(pid, epoch, label, value, marks)) }
	if p.open && p.epoch == epoch {
		write()
		return
	}
	req := AddPartitionsRequest{5, c.id, pid, epoch, []TopicPartition{log.tp}}
	s.post(func() {
		if c.new {
			call := &addCall{req, make(chan error, 1)}
			ask(s.to(), call, call.ch, func(err error) {
				s.post(func() {
					if err != nil {
						answer(err)
						return
					}
					write()
				})
			})
			return
		}
		call := &verifyCall{req, make(chan VerifyResponse, 1)}
		ask(s.to(), call, call.ch, func(r VerifyResponse) {
			s.post(func() {
				if r.Err != nil {
					answer(r.Err)
				} else if r.Errs[0] != nil {
					answer(r.Errs[0])
				} else {
					write()
				}
			})
		})
	})
}
