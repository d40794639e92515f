package etcd

import (
	"cmp"
	crand "crypto/rand"
	"fmt"
	"log/slog"
	"os"
	"time"

	"go.etcd.io/etcd/server/v3/config"
	"go.etcd.io/etcd/server/v3/features"
	"go.uber.org/zap"
)

// Options configure a member.
type Options struct {
	Dir    string // of this member alone; created if it does not exist
	NodeID int32
	Logger *slog.Logger // nil: silent

	// NoSync leaves out fsync, for development and tests: a crash of the machine loses metadata, one of the process
	// does not.
	NoSync bool

	// QuotaBytes bounds the database file; 0: 4 GiB.
	QuotaBytes int64

	// Tick and Election are raft's heartbeat and election timeout; 0: 100 ms and 1 s. A lone voter does not wait for
	// an election; several on a local network want 20 and 200 ms.
	Tick, Election time.Duration

	// PeerURL is where other voters would reach this one; "": http://127.0.0.1:9093. Nothing listens there.
	// A name instead of an address would be resolved at start.
	PeerURL string

	// OnFatal is called with the reason before the process exits because etcd cannot go on; nil: print it to stderr.
	OnFatal func(reason error)
}

func (o *Options) setDefaults() error {
	if o.Dir == "" {
		return fmt.Errorf("metadata: no directory given")
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.QuotaBytes = cmp.Or(o.QuotaBytes, 4<<30)
	o.Tick = cmp.Or(o.Tick, 100*time.Millisecond)
	o.Election = cmp.Or(o.Election, time.Second)
	o.PeerURL = cmp.Or(o.PeerURL, "http://127.0.0.1:9093")
	if o.Tick < time.Millisecond || o.Election < 2*o.Tick {
		return fmt.Errorf("metadata: election timeout %v must be at least two ticks of %v", o.Election, o.Tick)
	}
	if o.OnFatal == nil {
		o.OnFatal = func(reason error) { fmt.Fprintln(os.Stderr, reason) }
	}
	return nil
}

// Bounds on what a restart reads, and on what one request may hold.
//
// catchUpEntries is for a lone voter, whom nobody follows. With several, one that is 200 entries behind under load would
// be sent the whole database, and once more when that has arrived: it has to rise again then.
const (
	segmentBytes    = 4 << 20 // of the write-ahead log
	snapshotEntries = 1_000   // raft entries between snapshots: a restart replays up to as many, about 40 us each
	catchUpEntries  = 200     // raft entries kept in memory for voters that lag; those further behind get the database
	compactEvery    = 10_000  // revisions between compactions
	compactKeep     = 1_000   // revisions that a compaction leaves, for watches that lag
	maxRequestBytes = 3 << 19 // 1.5 MiB, etcd's default: controller.MaxTxnBytes and what goes around it
)

// Pace of compaction. With etcd's own (1,000 revisions, then 10 ms of sleep) it falls behind the writes.
const (
	compactBatch = 10_000
	compactSleep = time.Millisecond
)

// backendCommit is how long etcd gathers writes before it commits them to its database. They are in the write-ahead log
// already; until the commit they are in memory too, which is what a crash replays.
const backendCommit = 100 * time.Millisecond

// serverConfig spells out what package embed would fill in.
func (o *Options) serverConfig(lg *zap.Logger) (config.ServerConfig, error) {
	name := fmt.Sprintf("node-%d", o.NodeID)
	peers, initial, err := peerURLs(name, o.PeerURL)
	if err != nil {
		return config.ServerConfig{}, err
	}
	return config.ServerConfig{
		Name:                    name,
		DataDir:                 o.Dir,
		PeerURLs:                peers,
		InitialPeerURLsMap:      initial,
		InitialClusterToken:     crand.Text(), // makes the ids of cluster and member unique
		NewCluster:              true,         // only looked at where there is no log yet
		TickMs:                  uint(o.Tick / time.Millisecond),
		ElectionTicks:           int(o.Election / o.Tick),
		PreVote:                 true,
		StrictReconfigCheck:     true,
		MaxLearners:             1,
		SnapshotCount:           snapshotEntries,
		SnapshotCatchUpEntries:  catchUpEntries,
		MaxSnapFiles:            2,
		MaxWALFiles:             0, // maintenance.purge does it, by need instead of every 30 s
		BackendBatchInterval:    backendCommit,
		QuotaBackendBytes:       2 * o.QuotaBytes, // Store keeps to QuotaBytes; etcd's own refusals leave the outcome open
		MaxRequestBytes:         maxRequestBytes,
		MaxTxnOps:               maxServerTxnOps,
		CompactionBatchLimit:    compactBatch,
		CompactionSleepInterval: compactSleep,
		AuthToken:               "simple",
		TokenTTL:                300,
		BcryptCost:              10, // of passwords, of which there are none
		WarningApplyDuration:    time.Second,
		UnsafeNoFsync:           o.NoSync,
		Logger:                  lg,
		ServerFeatureGate:       features.NewDefaultServerFeatureGate(name, lg),
	}, nil
}
