package etcd

import (
	"context"
	"errors"
	"expvar"
	"fmt"
	"net/url"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/client/pkg/v3/fileutil"
	"go.etcd.io/etcd/client/pkg/v3/types"
	"go.etcd.io/etcd/server/v3/config"
	"go.etcd.io/etcd/server/v3/etcdserver"
	serverstorage "go.etcd.io/etcd/server/v3/storage"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// Store is controller.Store on a member of etcd in this process.
type Store struct {
	opts   Options
	lock   *fileutil.LockedFile
	server *etcdserver.EtcdServer
	quota  serverstorage.Quota
	end    *fatalities
	upkeep *maintenance

	closing *atomic.Bool // silences etcd

	// withTokens: transactions are retried, and guarded against taking effect twice. propose is server.Txn; a test
	// loses answers there.
	withTokens bool
	tokens     *tokens
	propose    func(context.Context, *pb.TxnRequest) (*pb.TxnResponse, error)

	// life ends when Close begins; calls holds those under way, watches those that run. mu guards closed, and that
	// nobody enters calls or watches after it is set.
	life    context.Context
	cancel  context.CancelFunc
	mu      sync.Mutex
	closed  bool
	calls   sync.WaitGroup
	watches sync.WaitGroup
}

// etcd has its segment size in a package variable.
var setSegmentSize = sync.OnceFunc(func() { wal.SegmentSizeBytes = segmentBytes })

// Open starts the member whose files are in opts.Dir, or founds a cluster of one there. When it returns the member
// leads, or follows a leader, and all that was committed can be read. ctx bounds the call.
//
// Errors: ErrLocked; whatever is wrong with the directory; ctx's.
func Open(ctx context.Context, opts Options) (*Store, error) {
	if err := opts.setDefaults(); err != nil {
		return nil, err
	}
	setSegmentSize()
	lock, err := prepareDir(opts.Dir)
	if err != nil {
		return nil, err
	}
	end := newFatalities(opts.OnFatal, os.Exit)
	closing := new(atomic.Bool)
	lg := newZap(opts.Logger, end, closing)
	cfg, err := opts.serverConfig(lg)
	if err != nil {
		lock.Close()
		return nil, err
	}
	server, err := boot(cfg, end)
	if err != nil {
		lock.Close()
		return nil, err
	}
	s := &Store{
		opts:   opts,
		lock:   lock,
		server: server,
		quota:  serverstorage.NewBackendQuota(lg, opts.QuotaBytes, server.Backend(), "blumfeld"),
		end:    end,

		closing: closing,
		propose: server.Txn,
	}
	s.life, s.cancel = context.WithCancel(context.Background())
	if err := s.join(ctx); err != nil {
		s.cancel()
		if end.failed() == nil { // else a goroutine that HardStop waits for is gone
			server.HardStop()
		}
		lock.Close()
		return nil, err
	}
	end.open()
	s.upkeep = startMaintenance(s)
	return s, nil
}

// boot makes and starts the server in a goroutine of its own, which etcd may end: see fatalities.
func boot(cfg config.ServerConfig, end *fatalities) (*etcdserver.EtcdServer, error) {
	type outcome struct {
		server *etcdserver.EtcdServer
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		debug.SetPanicOnFault(true)
		var o outcome
		defer func() {
			if r := recover(); r != nil {
				o.err = fmt.Errorf("metadata store: %v", r)
			}
			if o.server == nil && o.err == nil {
				o.err = end.failed() // Goexit
			}
			done <- o
		}()
		server, err := etcdserver.NewServer(cfg)
		if err != nil {
			o.err = fmt.Errorf("metadata store: %w", err)
			return
		}
		server.Start()
		o.server = server
	}()
	select {
	case o := <-done:
		return o.server, o.err
	case <-end.failing:
		// Perhaps in a goroutine that NewServer waits for in vain.
		return nil, end.failed()
	}
}

// join waits until the member can serve: it has applied its log, and there is a leader.
func (s *Store) join(ctx context.Context) error {
	if err := s.elect(ctx); err != nil {
		return err
	}
	s.withTokens = len(s.voters()) > 1
	var err error
	s.tokens, err = loadTokens(ctx, s)
	return err
}

// elect makes a lone voter the leader at once; among several it waits for one.
func (s *Store) elect(ctx context.Context) error {
	const pause = 200 * time.Microsecond
	me := s.server.MemberID()
	for s.server.Leader() == 0 {
		if voters := s.voters(); len(voters) == 1 && voters[0] == me && s.replayed() {
			stand := &raftpb.Message{Type: raftpb.MsgTimeoutNow.Enum(), To: new(uint64(me)), From: new(uint64(me))}
			if err := s.server.Process(ctx, stand); err != nil && ctx.Err() == nil {
				return fmt.Errorf("metadata store: election: %w", err)
			}
		}
		select {
		case <-time.After(pause):
		case <-s.end.failing:
			return s.end.failed()
		case <-s.server.StopNotify():
			return errors.New("metadata store: the member stopped; it was removed from its cluster")
		case <-ctx.Done():
			return fmt.Errorf("metadata store: no leader: %w", ctx.Err())
		}
	}
	return nil
}

// replayed says whether raft knows that all that it holds to be committed has been applied. Standing before that can
// fail: raft looks through what is not applied for changes of membership, and etcd may have dropped it from memory
// already.
//
// etcd publishes the state of raft as a variable of the process, that of the member that was made last. If that is not
// ours, because a process opens several at once, ours is elected in its own time.
func (s *Store) replayed() bool {
	published, ok := expvar.Get("raft.status").(expvar.Func)
	if !ok {
		return false
	}
	status, ok := published().(raft.Status)
	return ok && status.ID == uint64(s.server.MemberID()) && status.Applied == status.GetCommit()
}

func (s *Store) voters() (ids []types.ID) {
	for _, m := range s.server.Cluster().Members() {
		if !m.IsLearner {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// Close is controller.Store's. It ends calls under way and watches, commits what etcd holds in memory, and releases the
// directory.
func (s *Store) Close() error {
	s.mu.Lock()
	closed := s.closed
	s.closed = true
	s.mu.Unlock()
	if closed {
		<-s.server.StopNotify()
		return nil
	}
	s.closing.Store(true)
	s.cancel()
	s.calls.Wait()
	s.watches.Wait()
	s.upkeep.wait()
	s.server.Stop()
	return s.lock.Close()
}

func peerURLs(name, raw string) (types.URLs, types.URLsMap, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, nil, fmt.Errorf("metadata: peer URL: %w", err)
	}
	urls, err := types.NewURLs([]string{u.String()})
	if err != nil {
		return nil, nil, fmt.Errorf("metadata: peer URL: %w", err)
	}
	return urls, types.URLsMap{name: urls}, nil
}
