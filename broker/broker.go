package broker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"blumfeld/broker/api"
	"blumfeld/broker/config"
	"blumfeld/broker/markers"
	"blumfeld/broker/replica"
	"blumfeld/controller"
	"blumfeld/controller/group"
	"blumfeld/controller/txn"
	"blumfeld/logstore"
	"blumfeld/logstore/vfs"
)

// reservedBytes of each log directory's file system are left for the metadata
// store, which ends the process when it cannot write: producers meet
// KAFKA_STORAGE_ERROR before that.
const reservedBytes = 64 << 20

// stopGrace is how long requests under way may take when the broker stops.
const stopGrace = 10 * time.Second

// Config is what a broker is started with.
type Config struct {
	Values config.Values // the static configuration
	Trace  string        // APIs whose requests are printed; see newTracer
	// OpenStore opens the metadata store in dir, creating it the first time.
	OpenStore func(ctx context.Context, dir string, nodeID int32, logger *slog.Logger) (controller.Store, error)
	Ready     func(Started) // called once, when requests are served
	TraceOut  io.Writer
	Debug     string // host:port where profiles are served; "": nowhere
	Logger    *slog.Logger
	LogLevel  *slog.LevelVar // what Logger lets through, which clients may change (KIP-412)
	Now       func() time.Time
	FS        vfs.FS // where log directories are [the operating system's]
}

// Started says where a broker that serves can be found.
type Started struct {
	Address  string // host:port that clients are told, of the first listener
	LogDirs  []string
	NodeID   int32
	Duration time.Duration // since Run was called
}

// Run runs a broker until ctx ends, then stops it in an orderly way: no new
// request is taken, those under way are finished, logs are flushed and marked as
// cleanly closed. An error before Ready says why it could not start; that ctx
// ended meanwhile is none. A later one says that no log directory works any more.
func Run(ctx context.Context, c Config) error {
	begun := c.Now()
	b := newBroker(c)
	defer b.close()
	if err := b.start(ctx); err != nil {
		if ctx.Err() != nil {
			c.Logger.Info("stopped while starting", "err", err)
			return nil
		}
		return err
	}
	c.Ready(Started{
		Address:  b.address(),
		LogDirs:  b.Values.LogDirs(),
		NodeID:   b.nodeID,
		Duration: c.Now().Sub(begun),
	})
	for {
		select {
		case <-ctx.Done():
			c.Logger.Info("stopping")
			return nil
		case <-b.dirFailed:
			if err := b.dropFailedDirs(); err != nil {
				return err
			}
		}
	}
}

// broker holds what Run has started, in the order of start; close ends it in
// the reverse order.
type broker struct {
	Config
	nodeID      int32
	endpoints   []controller.Endpoint // what clients are told
	tracer      *tracer
	listeners   []*openListener
	dirs        []*logstore.Dir
	dirFailed   chan struct{} // holds an element after one did
	store       controller.Store
	controller  *controller.Controller
	groups      *group.Coordinator
	set         *replica.Set
	follower    *imageFollower
	cleaners    *replica.Cleaners
	housekeeper *replica.Housekeeper
	producers   *api.ProducerIDs
	markers     *markers.Writer
	txns        *txn.Coordinator
	server      *server
	overrides   ipOverrides // reconfigure's
	backups     *backups    // nil: none while the broker runs
	debugger    *debugger   // nil: no profiles are served
	// ctx is the handlers' context: it ends when the last connection is closed,
	// long after the one that Run was called with.
	ctx    context.Context
	cancel context.CancelFunc
}

func newBroker(c Config) *broker {
	if c.FS == nil {
		c.FS = vfs.OS{}
	}
	return &broker{Config: c, nodeID: int32(c.Values.Int("node.id")), dirFailed: make(chan struct{}, 1)}
}

func (b *broker) start(ctx context.Context) error {
	b.ctx, b.cancel = context.WithCancel(context.WithoutCancel(ctx))
	var err error
	if b.tracer, err = newTracer(b.Trace, b.TraceOut); err != nil {
		return err
	}
	if b.Debug != "" {
		if b.debugger, err = serveDebug(b.Debug, b.Logger); err != nil {
			return err
		}
	}
	if err := b.listen(); err != nil {
		return err
	}
	if err := b.openDirs(logstore.OpenDirOrOffline); err != nil {
		return err
	}
	if err := b.dropFailedDirs(); err != nil {
		return err
	}
	if err := b.openStore(ctx); err != nil {
		return err
	}
	if err := b.metadataIsThere(ctx); err != nil {
		return err
	}
	if err := b.startController(ctx, ""); err != nil {
		return err
	}
	if err := b.startGroups(ctx); err != nil {
		return err
	}
	b.set = replica.NewSet(replica.SetOptions{
		NodeID:          b.nodeID,
		Dirs:            b.dirs,
		Settings:        topicSettings(b.effective),
		RecoveryThreads: func(i *controller.Image) int { return b.effective(i).Int("num.recovery.threads.per.data.dir") },
		MoveRate: func(i *controller.Image) int64 {
			return b.effective(i).Long("replica.alter.log.dirs.io.max.bytes.per.second")
		},
		Logger: b.Logger,
	})
	b.cleaners = replica.NewCleaners(b.set, b.Logger)
	b.newTxns()
	b.newServer()
	b.reconfigure(b.controller.Image())
	if err := b.register(ctx); err != nil {
		return err
	}
	if err := b.startTxns(ctx); err != nil {
		return err
	}
	b.follower = followImages(b.controller, b.set, b.groups, b.reconfigure)
	b.housekeeper = replica.StartHousekeeper(b.set, replica.HousekeeperOptions{
		Retention:  milliseconds(b.Values.Long("log.retention.check.interval.ms")),
		Checkpoint: milliseconds(b.Values.Long("log.flush.offset.checkpoint.interval.ms")),
		Flush:      milliseconds(b.Values.Long("log.flush.scheduler.interval.ms")),
		Producers:  milliseconds(b.Values.Long("producer.id.expiration.check.interval.ms")),
		Now:        b.Now,
		Logger:     b.Logger,
	})
	b.serve()
	return nil
}

func (b *broker) listen() error {
	configured, err := b.Values.Listeners()
	if err != nil {
		return err
	}
	for _, l := range configured.Bound {
		s, err := bind(l)
		if err != nil {
			return err
		}
		b.listeners = append(b.listeners, s)
	}
	b.endpoints = b.advertised(configured.Advertised)
	return nil
}

// metadataFolder is the name that Kafka's metadata log has in its directory.
const metadataFolder = "__cluster_metadata-0"

func (b *broker) openStore(ctx context.Context) (err error) {
	dir := filepath.Join(b.Values.MetadataDir(), metadataFolder)
	b.store, err = b.OpenStore(ctx, dir, b.nodeID, b.Logger)
	if err != nil {
		return fmt.Errorf("metadata: %w", err)
	}
	return nil
}

// metadataIsThere is an error if the log directories belong to a cluster and the metadata store is new: to serve would
// set every log aside, for no topic claims it.
func (b *broker) metadataIsThere(ctx context.Context) error {
	empty, err := controller.IsEmpty(ctx, b.store)
	if err != nil {
		return fmt.Errorf("metadata: %w", err)
	}
	for _, d := range b.dirs {
		if empty && d.ClusterID() != "" {
			return fmt.Errorf("log directory %s belongs to cluster %s, but the metadata in %s is empty: it was moved or lost; "+
				"`blumfeld restore FILE` brings back a backup, `blumfeld recover` rebuilds the topics from the logs",
				d.Path(), d.ClusterID(), b.Values.MetadataDir())
		}
	}
	return nil
}

// startController starts the controller; clusterID, if not "", is the id that metadata gets which is new.
func (b *broker) startController(ctx context.Context, clusterID string) error {
	validate, listDefault := api.ConfigRules(b.Values, b.nodeID, func() *controller.Image { return b.controller.Image() })
	b.controller = controller.New(b.store, controller.Options{
		NodeID:                   b.nodeID,
		ClusterID:                clusterID,
		DefaultPartitions:        int32(b.Values.Int("num.partitions")),
		DefaultReplicationFactor: int16(b.Values.Int("default.replication.factor")),
		MinInsyncReplicas:        int32(b.Values.Int("min.insync.replicas")),
		ConfigsValidator:         validate,
		ListDefault:              listDefault,
		Logger:                   b.Logger,
	})
	if err := b.controller.Start(ctx); err != nil {
		return fmt.Errorf("metadata: %w", err)
	}
	b.tellOfMinInsync()
	for _, d := range b.dirs {
		if err := d.SetClusterID(b.controller.Image().ClusterID()); err != nil && d.Offline() == nil {
			return err
		}
	}
	return nil
}

// startGroups loads the groups and their committed offsets.
func (b *broker) startGroups(ctx context.Context) error {
	b.groups = group.New(group.Options{
		Store:  b.store,
		Config: groupConfig(b.Values),
		Now:    b.Now,
		Logger: b.Logger,
	})
	if err := b.groups.Start(ctx); err != nil {
		return fmt.Errorf("groups: %w", err)
	}
	return nil
}

// newIncarnation identifies this run of the process.
func newIncarnation() (id [16]byte) {
	rand.Read(id[:])
	return id
}

// address is host:port for a client on this machine.
func (b *broker) address() string {
	host := b.endpoints[0].Host
	if host == "" {
		host = "localhost"
	}
	return net.JoinHostPort(host, strconv.Itoa(int(b.endpoints[0].Port)))
}

// register tells the cluster where this broker can be reached.
func (b *broker) register(ctx context.Context) error {
	_, err := b.controller.RegisterBroker(ctx, controller.Broker{
		ID: b.nodeID, Rack: b.Values.String("broker.rack"), Endpoints: b.endpoints, Incarnation: newIncarnation(),
	})
	if err != nil {
		return fmt.Errorf("registering broker %d: %w", b.nodeID, err)
	}
	if err := b.reelect(ctx); err != nil {
		return err
	}
	b.set.Apply(b.controller.Image())
	return nil
}

// reelect gives the partitions that this broker leads a new leader epoch if the
// logs were not closed in order: what is written from now on must not be taken
// for records of the same offsets that a crash has undone (KIP-320).
func (b *broker) reelect(ctx context.Context) error {
	if !slices.ContainsFunc(b.dirs, func(d *logstore.Dir) bool { return !d.ClosedInOrder() }) {
		return nil
	}
	_, revision, err := b.controller.ReelectLeaders(ctx)
	if err == nil {
		_, err = b.controller.WaitRevision(ctx, revision)
	}
	if err != nil {
		return fmt.Errorf("new leader epochs after a crash: %w", err)
	}
	return nil
}

// newServer makes the server, which takes no connection before serve.
func (b *broker) newServer() {
	deps := &api.Deps{
		NodeID:         b.nodeID,
		Config:         b.Values,
		Controller:     b.controller,
		Partitions:     b.set,
		Sessions:       api.NewFetchSessions(b.Values.Int("max.incremental.fetch.session.cache.slots"), b.Now),
		FetchMaxBytes:  b.Values.Int("fetch.max.bytes"),
		AnswerMaxBytes: api.DefaultAnswerMaxBytes,
		Producers:      b.producers,
		Groups:         b.groups,
		Txns:           b.txns,
		Markers:        b.markers,
		Logger:         b.Logger,
		LogLevel:       b.LogLevel,
		Now:            b.Now,
	}
	b.server = newServer(serverLimits(b.Values, b.Now, b.Logger), deps, b.tracer)
}

func (b *broker) serve() {
	for _, l := range b.listeners {
		for _, s := range l.sockets {
			b.server.serve(b.ctx, s, l.Name)
		}
	}
	b.server.watchIdle()
	b.backups = serveBackups(b.ctx, b.Values.MetadataDir(), b.store, b.Logger)
}

// close ends what start began, as far as it came.
func (b *broker) close() {
	if err := b.end(); err != nil {
		b.Logger.Error("not everything could be closed", "err", err)
	}
}

// end is close for those who want to know.
func (b *broker) end() error {
	for _, l := range b.listeners {
		l.close()
	}
	if b.server != nil {
		b.server.stop(stopGrace, b.cancel)
	}
	if b.cancel != nil {
		b.cancel()
	}
	if b.backups != nil {
		b.backups.stop()
	}
	if b.txns != nil {
		b.txns.Close()
	}
	if b.markers != nil {
		b.markers.Close()
	}
	if b.producers != nil {
		b.producers.Close()
	}
	if b.housekeeper != nil {
		b.housekeeper.Stop()
	}
	if b.follower != nil {
		b.follower.stop()
	}
	if b.cleaners != nil {
		b.cleaners.Stop()
	}
	if b.groups != nil {
		b.groups.Close()
	}
	if b.set != nil {
		b.set.Stop()
	}
	if b.controller != nil {
		b.controller.Close()
	}
	var errs []error
	for _, d := range b.dirs {
		errs = append(errs, d.Close())
	}
	if b.store != nil {
		errs = append(errs, b.store.Close())
	}
	if b.debugger != nil {
		b.debugger.stop()
	}
	return errors.Join(errs...)
}
