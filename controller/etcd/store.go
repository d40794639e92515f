package etcd

import (
	"context"
	"errors"
	"fmt"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	servererrors "go.etcd.io/etcd/server/v3/etcdserver/errors"
	"go.etcd.io/etcd/server/v3/storage/mvcc"
	"go.etcd.io/raft/v3"

	"blumfeld/controller"
)

// maxServerTxnOps: etcd counts conditions and operations apart; one of each may be the token's.
const maxServerTxnOps = controller.MaxTxnOps + 1

// Pauses between attempts of one call. An attempt is given up after attemptTimeout plus two election timeouts: what was
// proposed to a leader that is gone is never answered.
const (
	attemptTimeout = 2 * time.Second
	minRetryPause  = time.Millisecond
	maxRetryPause  = 250 * time.Millisecond
)

// enter begins a call. leave must be called after it, if err is nil; ctx ends with the store's life.
func (s *Store) enter(ctx context.Context) (_ context.Context, leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil, controller.ErrClosed
	}
	s.calls.Add(1)
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.life, cancel)
	return ctx, func() { stop(); cancel(); s.calls.Done() }, nil
}

// retry calls attempt until it succeeds, ctx ends, or the error is final. Attempts must be idempotent.
func (s *Store) retry(ctx context.Context, attempt func(ctx context.Context) error) error {
	return s.retryIf(ctx, attemptTimeout+2*s.opts.Election, func(error) bool { return true }, attempt)
}

// retryIf is retry for errors that may be retried.
func (s *Store) retryIf(ctx context.Context, timeout time.Duration, may func(error) bool, attempt func(ctx context.Context) error) error {
	pause := minRetryPause
	for {
		try, cancel := context.WithTimeout(ctx, timeout)
		err := attempt(try)
		cancel()
		switch {
		case err == nil:
			return nil
		case s.life.Err() != nil || errors.Is(err, servererrors.ErrStopped):
			return controller.ErrClosed
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, servererrors.ErrRequestTooLarge):
			return controller.ErrTxnTooLarge
		case errors.Is(err, servererrors.ErrCorrupt) || !may(err):
			return fmt.Errorf("metadata store: %w", err)
		case errors.Is(err, servererrors.ErrNoSpace):
			if err := s.upkeep.makeRoom(ctx); err != nil {
				return err
			}
		default:
			s.opts.Logger.Warn("metadata store does not answer, will retry", "pause", pause, "error", err)
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
			pause = min(2*pause, maxRetryPause)
		}
	}
}

// Progress is controller.Store's.
func (s *Store) Progress() (term, committed int64) {
	return int64(s.server.Term()), int64(s.server.CommittedIndex())
}

// Txn is controller.Store's.
func (s *Store) Txn(ctx context.Context, conds []controller.Cond, ops []controller.Op) (rev int64, ok bool, err error) {
	if err := controller.CheckBounds(conds, ops); err != nil {
		return 0, false, err
	}
	ctx, leave, err := s.enter(ctx)
	if err != nil {
		return 0, false, err
	}
	defer leave()
	if len(ops) == 0 {
		return s.check(ctx, conds)
	}
	// The first of each is left free for the token.
	req := &pb.TxnRequest{
		Compare: make([]*pb.Compare, 1, len(conds)+1),
		Success: make([]*pb.RequestOp, 1, len(ops)+1),
	}
	for _, c := range conds {
		req.Compare = append(req.Compare, compareOf(c))
	}
	for _, o := range ops {
		req.Success = append(req.Success, requestOf(o))
	}
	if s.withTokens {
		rev, ok, err = s.commitOnce(ctx, req)
	} else {
		req.Compare, req.Success = req.Compare[1:], req.Success[1:]
		rev, ok, err = s.commit(ctx, req)
	}
	if err != nil {
		return 0, false, err
	}
	s.upkeep.at(rev)
	return rev, ok, nil
}

// commit is for a lone voter: what it was given it will commit unless it dies, so there is nothing to be gained by a
// second attempt, unless the first was refused. An error that leaves the outcome open is returned.
func (s *Store) commit(ctx context.Context, req *pb.TxnRequest) (rev int64, ok bool, err error) {
	const timeout = time.Hour // etcd has one of its own, of 5 s and two election timeouts
	err = s.retryIf(ctx, timeout, notProposed, func(ctx context.Context) error {
		if !s.quota.Available(req) {
			return servererrors.ErrNoSpace
		}
		resp, err := s.server.Txn(ctx, req)
		if err == nil {
			rev, ok = resp.Header.Revision, resp.Succeeded
		}
		return err
	})
	return rev, ok, err
}

// notProposed says whether an error means that nothing was given to raft. For lack of space that is so because our
// quota is below etcd's own, which refuses some that it has applied.
func notProposed(err error) bool {
	for _, refused := range []error{
		servererrors.ErrNoSpace, servererrors.ErrTooManyRequests, servererrors.ErrNoLeader, raft.ErrProposalDropped,
	} {
		if errors.Is(err, refused) {
			return true
		}
	}
	return false
}

// commitOnce is for one of several voters: leaders change, and an attempt whose leader is gone must be made again.
func (s *Store) commitOnce(ctx context.Context, req *pb.TxnRequest) (rev int64, ok bool, err error) {
	t := s.tokens.take()
	defer s.tokens.give(t)
	t.renew()
	req.Failure = []*pb.RequestOp{rangeOp(&pb.RangeRequest{Key: t.key})}
	err = s.retry(ctx, func(ctx context.Context) error {
		rev, ok, err = s.attempt(ctx, t, req)
		return err
	})
	return rev, ok, err
}

// attempt commits req if neither an earlier attempt nor anything else has moved the token.
func (s *Store) attempt(ctx context.Context, t *token, req *pb.TxnRequest) (rev int64, ok bool, err error) {
	for {
		req.Compare[0] = modRevision(t.key, t.rev)
		req.Success[0] = putOp(t.key, t.value)
		if !s.quota.Available(req) {
			return 0, false, servererrors.ErrNoSpace
		}
		resp, err := s.propose(ctx, req)
		if err != nil {
			return 0, false, err
		}
		if resp.Succeeded {
			t.rev = resp.Header.Revision
			return t.rev, true, nil
		}
		now, value := int64(0), []byte(nil)
		if kvs := resp.Responses[0].GetResponseRange().Kvs; len(kvs) > 0 {
			now, value = kvs[0].ModRevision, kvs[0].Value
		}
		if now == t.rev {
			return resp.Header.Revision, false, nil // so it was one of the conditions
		}
		t.rev = now
		if string(value) == string(t.value) {
			return now, true, nil // an earlier attempt did it
		}
		// An attempt of an earlier transaction, whose caller did not wait for it, came late. Now it cannot any more.
	}
}

// check evaluates conditions without a write.
func (s *Store) check(ctx context.Context, conds []controller.Cond) (rev int64, ok bool, err error) {
	req := &pb.TxnRequest{}
	for _, c := range conds {
		req.Compare = append(req.Compare, compareOf(c))
	}
	err = s.retry(ctx, func(ctx context.Context) error {
		resp, err := s.server.Txn(ctx, req)
		if err == nil {
			rev, ok = resp.Header.Revision, resp.Succeeded
		}
		return err
	})
	return rev, ok, err
}

// Range is controller.Store's.
func (s *Store) Range(ctx context.Context, prefix string) (kvs []controller.KV, rev int64, err error) {
	ctx, leave, err := s.enter(ctx)
	if err != nil {
		return nil, 0, err
	}
	defer leave()
	from, to := keyRange(prefix)
	err = s.retry(ctx, func(ctx context.Context) error {
		resp, err := s.server.Range(ctx, &pb.RangeRequest{Key: from, RangeEnd: to})
		if err != nil {
			return err
		}
		rev = resp.Header.Revision
		kvs = make([]controller.KV, len(resp.Kvs))
		for i, kv := range resp.Kvs {
			kvs[i] = controller.KV{Key: string(kv.Key), Value: kv.Value, ModRevision: kv.ModRevision}
		}
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	return kvs, rev, nil
}

// Watch is controller.Store's. A consumer that does not keep up costs no memory: etcd then reads what it has missed
// from the database.
func (s *Store) Watch(ctx context.Context, prefix string, from int64) <-chan []controller.Event {
	ch := make(chan []controller.Event)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		close(ch)
		return ch
	}
	stream := s.server.Watchable().NewWatchStream()
	start, end := keyRange(prefix)
	if string(end) == "\x00" {
		end = []byte{} // a watch has another way to say "no end" than a range
	}
	// The only failures are an empty range and an id that is taken; ours are neither.
	if _, err := stream.Watch(ctx, 0, start, end, max(from, 1)); err != nil {
		s.opts.Logger.Error("watch cannot be started", "prefix", prefix, "error", err)
		stream.Close()
		close(ch)
		return ch
	}
	s.watches.Go(func() {
		defer close(ch)
		defer stream.Close()
		for {
			select {
			case resp, ok := <-stream.Chan():
				if !ok || resp.CompactRevision != 0 {
					return
				}
				if len(resp.Events) == 0 {
					continue
				}
				select {
				case ch <- eventsOf(resp):
					continue
				case <-ctx.Done():
				case <-s.life.Done():
				}
			case <-ctx.Done():
			case <-s.life.Done():
			}
			return
		}
	})
	return ch
}

func eventsOf(resp mvcc.WatchResponse) []controller.Event {
	evs := make([]controller.Event, len(resp.Events))
	for i, ev := range resp.Events {
		evs[i].Key, evs[i].ModRevision = string(ev.Kv.Key), ev.Kv.ModRevision
		if evs[i].Deleted = ev.Type == mvccpb.Event_DELETE; !evs[i].Deleted {
			evs[i].Value = ev.Kv.Value
		}
	}
	return evs
}

// Compact forgets the changes before rev, and waits until the database has. The store does it by itself too.
func (s *Store) Compact(ctx context.Context, rev int64) error {
	ctx, leave, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	return s.retry(ctx, func(ctx context.Context) error { return s.compact(ctx, rev, true) })
}

func (s *Store) compact(ctx context.Context, rev int64, wait bool) error {
	_, err := s.server.Compact(ctx, &pb.CompactionRequest{Revision: rev, Physical: wait})
	if errors.Is(err, mvcc.ErrCompacted) {
		return nil // by another member
	}
	return err
}

// keyRange is the range of the keys with a prefix: from, inclusive, and to, exclusive. Keys that begin with a zero byte
// are this package's own.
func keyRange(prefix string) (from, to []byte) {
	from = []byte(prefix)
	if prefix == "" {
		from = []byte{1}
	}
	to = []byte(prefix)
	for i := len(to) - 1; i >= 0; i-- {
		if to[i] < 0xff {
			to[i]++
			return from, to[:i+1]
		}
	}
	return from, []byte{0} // no end
}

func compareOf(c controller.Cond) *pb.Compare {
	key := []byte(c.Key)
	switch c.Kind {
	case controller.CondExists:
		return &pb.Compare{Key: key, Target: pb.Compare_CREATE, Result: pb.Compare_GREATER,
			TargetUnion: &pb.Compare_CreateRevision{CreateRevision: 0}}
	case controller.CondValue:
		// etcd holds a comparison of values to be false for a key that does not exist.
		return &pb.Compare{Key: key, Target: pb.Compare_VALUE, Result: pb.Compare_EQUAL,
			TargetUnion: &pb.Compare_Value{Value: c.Value}}
	default:
		return modRevision(key, c.Rev)
	}
}

func modRevision(key []byte, rev int64) *pb.Compare {
	return &pb.Compare{Key: key, Target: pb.Compare_MOD, Result: pb.Compare_EQUAL,
		TargetUnion: &pb.Compare_ModRevision{ModRevision: rev}}
}

func requestOf(o controller.Op) *pb.RequestOp {
	switch o.Kind {
	case controller.OpPut:
		return putOp([]byte(o.Key), o.Value)
	case controller.OpDeletePrefix:
		from, to := keyRange(o.Key)
		return deleteOp(&pb.DeleteRangeRequest{Key: from, RangeEnd: to})
	default:
		return deleteOp(&pb.DeleteRangeRequest{Key: []byte(o.Key)})
	}
}

func putOp(key, value []byte) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestPut{RequestPut: &pb.PutRequest{Key: key, Value: value}}}
}

func deleteOp(r *pb.DeleteRangeRequest) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestDeleteRange{RequestDeleteRange: r}}
}

func rangeOp(r *pb.RangeRequest) *pb.RequestOp {
	return &pb.RequestOp{Request: &pb.RequestOp_RequestRange{RequestRange: r}}
}
