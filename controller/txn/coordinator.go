package txn

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"blumfeld/controller"
	"blumfeld/controller/shard"
)

// Options of a Coordinator. Store, Markers and NextProducerID are required.
type Options struct {
	Store   controller.Store
	Config  Config // taken as it is: see DefaultConfig
	Markers MarkerWriter
	// NextProducerID returns a producer id that nobody had before. It may wait, until ctx ends.
	NextProducerID func(ctx context.Context) (int64, error)
	// TransactionVersion is the level of the feature transaction.version. It is called with every abort that no client
	// asked for. nil: 2.
	TransactionVersion func() int16
	Now                func() time.Time // nil: time.Now
	Logger             *slog.Logger     // nil: silent
}

// Coordinator coordinates transactions. Its methods may be called from any goroutine and do not wait for the store: each
// returns a channel of capacity 1, on which the answer comes exactly once, after what it tells has been stored. Errors
// wrap a *kerr.Error.
//
// Before Start has returned every request is refused with COORDINATOR_LOAD_IN_PROGRESS, after Close, or once another
// Coordinator has taken over, with NOT_COORDINATOR. When the store fails, what waits for it gets
// COORDINATOR_NOT_AVAILABLE, and until all is read again the rest COORDINATOR_LOAD_IN_PROGRESS.
type Coordinator struct {
	opts Options
	core *core // one: doc.go says why

	cancel context.CancelFunc
	ended  sync.WaitGroup
}

// New returns a Coordinator that refuses all requests until Start.
func New(o Options) *Coordinator {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.TransactionVersion == nil {
		o.TransactionVersion = func() int16 { return 2 }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Coordinator{opts: o}
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	c.core = newCore(ctx, &c.opts, func(f func()) { c.ended.Go(f) })
	return c
}

func newCore(ctx context.Context, o *Options, spawn func(func())) *core {
	return &core{
		Loop: shard.NewLoop[call, flight](), opts: o, owner: shard.NewOwner(o.Store, ownerKey(0)), ctx: ctx, spawn: spawn,
		lazyAt: never, dry: true, // a block of ids is not begun before somebody needs one
	}
}

// Start takes the transactional ids over from whoever owned them before, reads them, goes on with the transactions that
// were being completed, and lets requests in. ctx bounds the reading. It is called once; after an error only Close may be.
func (c *Coordinator) Start(ctx context.Context) error {
	if err := c.core.start(ctx); err != nil {
		return err
	}
	c.ended.Go(func() { c.core.Run(c.core.ctx, c.core) })
	return nil
}

// start is what comes before the turns.
func (s *core) start(ctx context.Context) error {
	if err := s.owner.Take(ctx); err != nil {
		return fmt.Errorf("txn: taking over the transactional ids: %w", err)
	}
	txns, err := s.read(ctx)
	if err != nil {
		return fmt.Errorf("txn: reading the transactional ids: %w", err)
	}
	s.now = millis(s.opts.Now())
	s.base, s.epoch = s.now, s.owner.Epoch()
	s.Open()
	s.adopt(txns)
	return nil
}

// Close refuses whatever waits and ends all goroutines. Writes under way are cut off.
func (c *Coordinator) Close() {
	c.cancel()
	c.ended.Wait()
}

// InitProducerID is InitProducerId with a transactional id.
func (c *Coordinator) InitProducerID(r InitProducerIDRequest) <-chan InitProducerIDResponse {
	call := &initCall{r, make(chan InitProducerIDResponse, 1)}
	switch {
	case (r.ProducerID == noProducerID) != (r.Epoch == noEpoch), r.TransactionalID == "":
		call.Fail(kerr.InvalidRequest)
	case r.TimeoutMs <= 0 || r.TimeoutMs > c.opts.Config.MaxTimeoutMs:
		call.Fail(kerr.InvalidTransactionTimeout)
	default:
		c.core.Send(call)
	}
	return call.ch
}

// AddPartitions is AddPartitionsToTxn of one transaction. Whether the partitions exist is the caller's to check.
func (c *Coordinator) AddPartitions(r AddPartitionsRequest) <-chan error {
	call := &addCall{r, make(chan error, 1)}
	c.send(r.TransactionalID, call)
	return call.ch
}

// VerifyPartitions is AddPartitionsToTxn that only asks. A change on its way to the store is not seen.
func (c *Coordinator) VerifyPartitions(r AddPartitionsRequest) <-chan VerifyResponse {
	call := &verifyCall{r, make(chan VerifyResponse, 1)}
	c.send(r.TransactionalID, call)
	return call.ch
}

// AddOffsets is AddOffsetsToTxn: the group's partition of __consumer_offsets becomes part of the transaction. Only the old
// protocol has it.
func (c *Coordinator) AddOffsets(r AddOffsetsRequest) <-chan error {
	// AddPartitionsToTxn is the new protocol's from version 4 on, AddOffsetsToTxn never.
	return c.AddPartitions(AddPartitionsRequest{Version: min(r.Version, 3), TransactionalID: r.TransactionalID,
		ProducerID: r.ProducerID, Epoch: r.Epoch, Partitions: []TopicPartition{r.Partition}})
}

// EndTxn is EndTxn. The answer comes when the decision is stored; markers follow.
func (c *Coordinator) EndTxn(r EndTxnRequest) <-chan EndTxnResponse {
	call := &endCall{r, make(chan EndTxnResponse, 1)}
	c.send(r.TransactionalID, call)
	return call.ch
}

// Describe is DescribeTransactions for one transactional id.
func (c *Coordinator) Describe(transactionalID string) <-chan Description {
	call := &describeCall{transactionalID, make(chan Description, 1)}
	c.send(transactionalID, call)
	return call.ch
}

// List is ListTransactions. A pattern that is none is INVALID_REGULAR_EXPRESSION.
func (c *Coordinator) List(r ListRequest) <-chan ListResponse {
	call := &listCall{req: r, ch: make(chan ListResponse, 1)}
	if r.Pattern != "" {
		var err error
		if call.pattern, err = regexp.Compile(`\A(?:` + r.Pattern + `)\z`); err != nil {
			call.Fail(fmt.Errorf("%w: %v", kerr.InvalidRegularExpression, err))
			return call.ch
		}
	}
	c.core.Send(call)
	return call.ch
}

// send checks the transactional id and hands the call on.
func (c *Coordinator) send(transactionalID string, call call) {
	if transactionalID == "" {
		call.Fail(kerr.InvalidRequest)
		return
	}
	c.core.Send(call)
}
