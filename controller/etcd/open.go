package etcd

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/fileutil"
	"go.etcd.io/etcd/client/pkg/v3/types"
	"go.etcd.io/etcd/server/v3/config"
	"go.etcd.io/etcd/server/v3/etcdserver"
	serverstorage "go.etcd.io/etcd/server/v3/storage"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/raft/v3/raftpb"
)

// Store is controller.Store on a member of etcd in this process.
type Store struct {
	opts   Options
	lock   *fileutil.LockedFile
	server *etcdserver.EtcdServer
	quota  serverstorage.Quota
	end    *fatalities
	tokens *tokens
	upkeep *maintenance

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
	lg := newZap(opts.Logger, end)
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
	}
	s.life, s.cancel = context.WithCancel(context.Background())
	if err := s.join(ctx); err != nil {
		s.cancel()
		server.HardStop()
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
	var err error
	s.tokens, err = loadTokens(ctx, s)
	return err
}

// elect makes a lone voter the leader at once; among several it waits for one.
func (s *Store) elect(ctx context.Context) error {
	const pause = 200 * time.Microsecond
	me := s.server.MemberID()
	for s.server.Leader() == 0 {
		// The cluster is known when the log has been applied; before that there are no members, and raft would refuse.
		if voters := s.voters(); len(voters) == 1 && voters[0] == me {
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
