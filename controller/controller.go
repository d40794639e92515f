package controller

import (
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Options configure a Controller.
type Options struct {
	NodeID int32
	// ClusterID is the id that an empty store gets (22 characters); "": a random one. A store that has an id keeps it.
	ClusterID string

	DefaultPartitions        int32 // num.partitions; 0: 1
	DefaultReplicationFactor int16 // default.replication.factor; 0: 1

	// MinInsyncReplicas is what the cluster's default of min.insync.replicas is when there is none yet. As eligible
	// leader replicas are chosen by it, it is the cluster's and not a broker's to say from then on (KIP-966).
	// 0: there need not be one.
	MinInsyncReplicas int32

	// ConfigValidator says why a key may not have a value, in Kafka's words: the error's text goes to the client with
	// INVALID_CONFIG, or with the code of the *kerr.Error that it wraps. It is also asked about keys that it does not
	// know. nil: everything is allowed.
	ConfigValidator func(resource ConfigResource, key, value string) error
	// ConfigsValidator judges the configuration that a resource would have as a whole, after each key was judged.
	ConfigsValidator func(resource ConfigResource, configs map[string]string) error
	// ListDefault says whether there is such a key, whether its type is LIST, which APPEND and SUBTRACT need, and its
	// default value.
	ListDefault func(resource ConfigResource, key string) (value string, isList, known bool)

	// SessionAlive says whether the process behind a registration is known to live. Another process cannot register
	// that broker id then. nil: none is, a new registration always replaces the old one (one broker, whose directory
	// is locked).
	SessionAlive func(b Broker) bool

	Features []Feature // that can be finalized; nil: SupportedFeatures

	Logger *slog.Logger // nil: silent
	// Rand draws ids and placements, for simulations; nil: crypto/rand seeds it.
	Rand *rand.Rand
}

// Controller keeps the Image up to date and carries out operations. All methods may be called from any goroutine.
type Controller struct {
	store Store
	opts  Options
	log   *slog.Logger
	// features are those that this program supports, by name.
	features []Feature

	published atomic.Pointer[publication]

	randMu sync.Mutex // guards rand; nothing is called while it is held
	rand   *rand.Rand

	cancel context.CancelFunc
	done   sync.WaitGroup // the goroutine that follows the watch
}

// publication is an Image and the channel that is closed when there is a newer one.
type publication struct {
	img  *Image
	next chan struct{}
}

// New returns a Controller that reads nothing yet: its Image is empty, at revision 0, until Start.
func New(store Store, opts Options) *Controller {
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	if opts.Rand == nil {
		var seed [32]byte
		crand.Read(seed[:])
		opts.Rand = rand.New(rand.NewChaCha8(seed))
	}
	if opts.Features == nil {
		opts.Features = SupportedFeatures()
	}
	opts.DefaultPartitions = max(opts.DefaultPartitions, 1)
	opts.DefaultReplicationFactor = max(opts.DefaultReplicationFactor, 1)
	c := &Controller{store: store, opts: opts, log: opts.Logger, rand: opts.Rand, features: sortedFeatures(opts.Features)}
	c.published.Store(&publication{img: &Image{}, next: make(chan struct{})})
	return c
}

// Start reads the metadata, gives an empty store its cluster id, removes what interrupted operations left, and begins
// to follow changes. When it returns nil the Image is complete. ctx bounds only the call; Close ends what it started.
//
// The sweep assumes that nobody is creating a topic meanwhile: a broker starts its Controller before it serves, and of
// several brokers only the elected one sweeps.
func (c *Controller) Start(ctx context.Context) error {
	r, err := c.load(ctx)
	if err != nil {
		return err
	}
	for _, complete := range []func(context.Context, *Image) (wrote bool, err error){c.format, c.finalizeFeatures, c.defaultMinInsync} {
		wrote, err := complete(ctx, r.img)
		if err != nil {
			return err
		}
		if !wrote {
			continue
		}
		if r, err = c.load(ctx); err != nil {
			return err
		}
	}
	if err := c.sweep(ctx, r); err != nil {
		return err
	}
	c.publish(r.img)
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c.cancel = cancel
	c.done.Go(func() { c.follow(run, r) })
	return nil
}

// Close stops following changes. It does not close the store. The last Image stays.
func (c *Controller) Close() {
	if c.cancel != nil {
		c.cancel()
	}
	c.done.Wait()
}

// format writes the first keys into an empty store; another broker may be faster.
func (c *Controller) format(ctx context.Context, img *Image) (wrote bool, err error) {
	if img.clusterID != "" {
		return false, nil
	}
	id := c.opts.ClusterID
	if id == "" {
		id = FormatID(c.newID(img))
	}
	_, _, err = c.store.Txn(ctx,
		[]Cond{IfAbsent(clusterIDKey)},
		[]Op{Put(formatKey, []byte(formatVersion)), Put(clusterIDKey, []byte(id))})
	if err != nil {
		return false, fmt.Errorf("write cluster id: %w", err)
	}
	return true, nil
}

func (c *Controller) sweep(ctx context.Context, r *replay) error {
	ops := r.orphans()
	if len(ops) == 0 {
		return nil
	}
	c.log.Info("removing keys of interrupted operations", "operations", len(ops))
	for chunk := range chunkOps(ops) {
		if _, _, err := c.store.Txn(ctx, nil, chunk); err != nil {
			return fmt.Errorf("remove keys of interrupted operations: %w", err)
		}
	}
	return nil
}

func (c *Controller) load(ctx context.Context) (*replay, error) {
	kvs, rev, err := c.store.Range(ctx, metaPrefix)
	if err != nil {
		return nil, fmt.Errorf("read metadata: %w", err)
	}
	return loadImage(kvs, rev, func(key string, err error) {
		c.log.Error("metadata key cannot be read", "key", key, "error", err)
	})
}

// Pause between attempts to reach the store again.
const (
	minReloadPause = 10 * time.Millisecond
	maxReloadPause = time.Second
)

// follow publishes an Image for each batch of changes, and reads everything anew when the watch ends early.
func (c *Controller) follow(ctx context.Context, r *replay) {
	pause := minReloadPause
	for ctx.Err() == nil {
		watch, stop := context.WithCancel(ctx)
		for batch := range c.store.Watch(watch, metaPrefix, r.img.revision+1) {
			if len(batch) > 0 {
				c.publish(r.apply(batch))
				pause = minReloadPause
			}
		}
		stop()
		if ctx.Err() != nil {
			return
		}
		fresh, err := c.load(ctx)
		if err == nil && fresh.img.revision >= r.img.revision {
			c.log.Info("metadata read anew", "revision", fresh.img.revision, "behind", fresh.img.revision-r.img.revision)
			if fresh.img.revision > r.img.revision {
				pause = minReloadPause // watches that break off at once get nowhere; this one did
			}
			r = fresh
			c.publish(r.img)
		} else if err != nil && ctx.Err() == nil {
			c.log.Warn("metadata cannot be read, will retry", "pause", pause, "error", err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
		pause = min(2*pause, maxReloadPause)
	}
}

// publish makes img the newest. One goroutine at a time calls it.
func (c *Controller) publish(img *Image) {
	old := c.published.Swap(&publication{img: img, next: make(chan struct{})})
	close(old.next)
}

// Image returns the newest metadata.
func (c *Controller) Image() *Image { return c.published.Load().img }

// Changed returns a channel that is closed when there is an Image newer than the one that Image returned before or
// would return now. To wait for a state: take the channel, look at the Image, then wait for the channel.
func (c *Controller) Changed() <-chan struct{} { return c.published.Load().next }

// WaitRevision returns the first Image that shows revision rev.
func (c *Controller) WaitRevision(ctx context.Context, rev int64) (*Image, error) {
	for {
		p := c.published.Load()
		if p.img.revision >= rev {
			return p.img, nil
		}
		select {
		case <-p.next:
		case <-ctx.Done():
			return nil, storeError(ctx.Err())
		}
	}
}

// transact decides on the newest Image and commits, until the decision holds. It returns the revision that shows the
// outcome. decide may be called several times; an error of it is final. No ops: nothing is written.
func (c *Controller) transact(ctx context.Context, decide func(*Image) ([]Cond, []Op, error)) (int64, error) {
	for {
		p := c.published.Load()
		conds, ops, err := decide(p.img)
		if err != nil || len(ops) == 0 {
			return p.img.revision, err
		}
		rev, ok, err := c.store.Txn(ctx, conds, ops)
		if err != nil {
			return p.img.revision, storeError(err)
		}
		if ok {
			return rev, nil
		}
		if err := p.superseded(ctx); err != nil {
			return p.img.revision, err
		}
	}
}

// superseded waits for a newer Image. A condition that failed means that there will be one: the key that it compares
// has changed since.
func (p *publication) superseded(ctx context.Context) error {
	select {
	case <-p.next:
		return nil
	case <-ctx.Done():
		return storeError(ctx.Err())
	}
}

// newID returns a random id that no topic of the Image has.
func (c *Controller) newID(img *Image) (id [16]byte) {
	c.randMu.Lock()
	defer c.randMu.Unlock()
	for {
		binary.LittleEndian.PutUint64(id[:8], c.rand.Uint64())
		binary.LittleEndian.PutUint64(id[8:], c.rand.Uint64())
		stampV4(&id)
		if _, taken := img.TopicByID(id); !taken && usableID(id) {
			return id
		}
	}
}

// draw returns a random number in [0, n).
func (c *Controller) draw(n int) int {
	c.randMu.Lock()
	defer c.randMu.Unlock()
	return c.rand.IntN(n)
}

// AllocateProducerIDs takes the next block of producer ids: first to first+count-1 are this broker's alone, for ever.
func (c *Controller) AllocateProducerIDs(ctx context.Context) (first int64, count int32, err error) {
	rev, err := c.transact(ctx, func(img *Image) ([]Cond, []Op, error) {
		b, _ := img.Broker(c.opts.NodeID)
		var op Op
		var err error
		first, op, err = nextProducerIDs(img, c.opts.NodeID, b.Epoch)
		return []Cond{IfRevision(producerIDsKey, img.producerRev)}, []Op{op}, err
	})
	if err != nil {
		return 0, 0, err
	}
	// The next call must not begin with an Image in which this block is free.
	if _, err := c.WaitRevision(ctx, rev); err != nil {
		return 0, 0, err
	}
	return first, ProducerIDBlockSize, nil
}

// ProducerIDBlockSize is Kafka's ProducerIdsBlock.PRODUCER_ID_BLOCK_SIZE.
const ProducerIDBlockSize = 1000

func nextProducerIDs(img *Image, broker int32, epoch int64) (first int64, op Op, err error) {
	p := img.producerIDs
	const maxInt64 = 1<<63 - 1
	if p.next > maxInt64-ProducerIDBlockSize {
		return 0, Op{}, refuse(kerr.UnknownServerError, "Exhausted all producerIds as the next block's end producerId "+
			"has exceeded the int64 type limit")
	}
	next := producerIDs{next: p.next + ProducerIDBlockSize, broker: broker, epoch: epoch}
	return p.next, Put(producerIDsKey, next.encode()), nil
}
