package etcd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	servererrors "go.etcd.io/etcd/server/v3/etcdserver/errors"
	"go.uber.org/zap"

	"blumfeld/controller"
	"blumfeld/controller/storetest"
)

var _ controller.Store = (*Store)(nil)

func open(t testing.TB, opts Options) *Store {
	t.Helper()
	s, err := tryOpen(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func tryOpen(opts Options) (*Store, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return Open(ctx, opts)
}

func testOptions(t testing.TB) Options {
	return Options{Dir: t.TempDir(), NodeID: 1, NoSync: true}
}

// leakyDir is a folder for an Open that fails: what it leaks may go on writing there for a moment, which t.TempDir
// takes for a failure of the test.
func leakyDir(t testing.TB) string {
	dir, err := os.MkdirTemp("", "etcd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Store { return open(t, testOptions(t)) })
}

// openAsOneOfSeveral returns a store that guards its transactions with tokens, as it does among several voters.
func openAsOneOfSeveral(t testing.TB, opts Options) *Store {
	s := open(t, opts)
	s.withTokens = true
	return s
}

func TestStoreWithTokens(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Store { return openAsOneOfSeveral(t, testOptions(t)) })
}

func values(t *testing.T, s controller.Store, prefix string) string {
	t.Helper()
	kvs, _, err := s.Range(t.Context(), prefix)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, kv := range kvs {
		out = append(out, fmt.Sprintf("%s=%s", kv.Key, kv.Value))
	}
	return strings.Join(out, " ")
}

// TestAtMostOnce loses the answers of attempts, or delays the attempts themselves until after the next ones, and counts.
func TestAtMostOnce(t *testing.T) {
	lost := errors.New("answer lost")
	for _, tt := range []struct {
		name string
		// propose stands in for the nth call of server.Txn, from 0.
		propose func(n int, s *Store, ctx context.Context, r *pb.TxnRequest) (*pb.TxnResponse, error)
	}{
		{"answers lost", func(n int, s *Store, ctx context.Context, r *pb.TxnRequest) (*pb.TxnResponse, error) {
			resp, err := s.server.Txn(ctx, r)
			if n%3 != 2 {
				return nil, lost
			}
			return resp, err
		}},
		{"requests lost", func(n int, s *Store, ctx context.Context, r *pb.TxnRequest) (*pb.TxnResponse, error) {
			if n%3 != 2 {
				return nil, servererrors.ErrTimeout
			}
			return s.server.Txn(ctx, r)
		}},
		{"requests doubled", func(n int, s *Store, ctx context.Context, r *pb.TxnRequest) (*pb.TxnResponse, error) {
			s.server.Txn(ctx, r)
			return s.server.Txn(ctx, r)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := openAsOneOfSeveral(t, testOptions(t))
			var mu sync.Mutex
			calls := 0
			s.propose = func(ctx context.Context, r *pb.TxnRequest) (*pb.TxnResponse, error) {
				mu.Lock()
				n := calls
				calls++
				mu.Unlock()
				return tt.propose(n, s, ctx, r)
			}
			// Appends, so that a transaction that takes effect twice, or none, shows.
			const txns = 20
			for i := range txns {
				kvs, _, err := s.Range(t.Context(), "list")
				if err != nil {
					t.Fatal(err)
				}
				var list []byte
				rev := int64(0)
				if len(kvs) > 0 {
					list, rev = kvs[0].Value, kvs[0].ModRevision
				}
				got, ok, err := s.Txn(t.Context(), []controller.Cond{controller.IfRevision("list", rev)},
					[]controller.Op{controller.Put("list", append(bytes.Clone(list), byte('a'+i)))})
				if err != nil || !ok {
					t.Fatalf("transaction %d: ok %v, %v", i, ok, err)
				}
				if kvs, _, _ := s.Range(t.Context(), "list"); kvs[0].ModRevision != got {
					t.Fatalf("transaction %d is said to have revision %d, it has %d", i, got, kvs[0].ModRevision)
				}
				// A condition that does not hold is told from an attempt that had succeeded.
				if _, ok, err := s.Txn(t.Context(), []controller.Cond{controller.IfAbsent("list")},
					[]controller.Op{controller.Put("list", nil)}); ok || err != nil {
					t.Fatalf("transaction %d: false condition: ok %v, %v", i, ok, err)
				}
			}
			if got := values(t, s, "list"); got != "list=abcdefghijklmnopqrst" {
				t.Error(got)
			}
		})
	}
}

// TestLateAttempt: an attempt whose caller has given up arrives after its token has served another transaction.
func TestLateAttempt(t *testing.T) {
	s := openAsOneOfSeveral(t, testOptions(t))
	var late *pb.TxnRequest
	ctx, cancel := context.WithCancel(t.Context())
	s.propose = func(_ context.Context, r *pb.TxnRequest) (*pb.TxnResponse, error) {
		late = &pb.TxnRequest{Compare: append([]*pb.Compare(nil), r.Compare...), Success: append([]*pb.RequestOp(nil), r.Success...)}
		cancel()
		return nil, servererrors.ErrTimeout
	}
	if _, _, err := s.Txn(ctx, nil, []controller.Op{controller.Put("k", []byte("late"))}); !errors.Is(err, context.Canceled) {
		t.Fatalf("Txn: %v", err)
	}
	s.propose = s.server.Txn
	putOnce(t, s, "k", []byte("new"))
	if resp, err := s.server.Txn(t.Context(), late); err != nil || resp.Succeeded {
		t.Errorf("the late attempt: %v, %v", resp, err)
	}
	if got := values(t, s, "k"); got != "k=new" {
		t.Error(got)
	}
}

func TestRestart(t *testing.T) {
	opts := testOptions(t)
	s := open(t, opts)
	putOnce(t, s, "k", []byte("1"))
	_, rev, err := s.Range(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	term, committed := s.Progress()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	opts.NodeID, opts.PeerURL = 2, "http://127.0.0.1:1234" // not what names a member that exists
	s = open(t, opts)
	if got := values(t, s, ""); got != "k=1" {
		t.Errorf("after a restart: %q", got)
	}
	if newTerm, more := s.Progress(); newTerm <= term || more <= committed {
		t.Errorf("after a restart: term %d, %d committed; before: %d, %d", newTerm, more, term, committed)
	}
	if next, ok, err := s.Txn(t.Context(), nil, []controller.Op{controller.Put("k", nil)}); !ok || err != nil || next != rev+1 {
		t.Errorf("after a restart: revision %d after %d, %v, %v", next, rev, ok, err)
	}
}

func TestLocked(t *testing.T) {
	opts := testOptions(t)
	open(t, opts)
	_, err := tryOpen(opts)
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), opts.Dir) {
		t.Errorf("%v", err)
	}
}

// TestKilled: what was acknowledged is there after SIGKILL, in a process that was writing with 64 goroutines.
func TestKilled(t *testing.T) {
	dir, acked := killedWriter(t, 3000)
	s := open(t, Options{Dir: dir, NodeID: 1, NoSync: true})
	kvs, _, err := s.Range(t.Context(), "meta/")
	if err != nil {
		t.Fatal(err)
	}
	have := make(map[string]int)
	for _, kv := range kvs {
		var n int
		fmt.Sscan(string(kv.Value), &n)
		have[kv.Key] = n
	}
	if len(acked) == 0 {
		t.Fatal("the writer acknowledged nothing")
	}
	for key, n := range acked {
		if have[key] < n {
			t.Errorf("%s was acknowledged at %d, and holds %d", key, n, have[key])
		}
	}
}

// TestDamage opens directories whose files have been damaged: an error in one line, and the process lives.
func TestDamage(t *testing.T) {
	file := func(pattern string) func(t *testing.T, dir string) string {
		return func(t *testing.T, dir string) string {
			found, err := filepath.Glob(filepath.Join(dir, pattern))
			if err != nil || len(found) == 0 {
				t.Fatalf("%s: %v, %v", pattern, found, err)
			}
			return found[0]
		}
	}
	db, log := file("member/snap/db"), file("member/wal/*-*.wal")
	overwrite := func(t *testing.T, path string, at int64, with []byte) {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteAt(with, at); err != nil {
			t.Fatal(err)
		}
	}
	must := func(t *testing.T, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	noise := bytes.Repeat([]byte{0xa5, 0x5a, 0x01}, 4096)
	for _, tt := range []struct {
		name   string
		damage func(t *testing.T, dir string)
		want   string // in the error; "": it opens
	}{
		{"database missing", func(t *testing.T, dir string) { must(t, os.Remove(db(t, dir))) }, "is missing"},
		{"database truncated", func(t *testing.T, dir string) { must(t, os.Truncate(db(t, dir), 20_000)) }, "is damaged"},
		{"database of one page", func(t *testing.T, dir string) { must(t, os.Truncate(db(t, dir), 4096)) }, "is damaged"},
		{"database of a few bytes", func(t *testing.T, dir string) { must(t, os.Truncate(db(t, dir), 10)) }, "is damaged"},
		{"database headers overwritten", func(t *testing.T, dir string) { overwrite(t, db(t, dir), 0, noise) }, "is damaged"},
		{"database pages overwritten", func(t *testing.T, dir string) {
			info, err := os.Stat(db(t, dir))
			must(t, err)
			for page := int64(2); page < info.Size()/4096; page++ { // all but the headers
				overwrite(t, db(t, dir), page*4096, noise[:4096])
			}
		}, "is damaged"},
		{"log missing", func(t *testing.T, dir string) { must(t, os.RemoveAll(filepath.Join(dir, "member/wal"))) }, "is missing"},
		{"log overwritten", func(t *testing.T, dir string) { overwrite(t, log(t, dir), 0, noise) }, "metadata store"},
		{"log overwritten in the middle", func(t *testing.T, dir string) { overwrite(t, log(t, dir), 2000, noise[:64]) }, "metadata store"},
		{"log truncated to nothing", func(t *testing.T, dir string) { must(t, os.Truncate(log(t, dir), 0)) }, "metadata store"},
		{"directory is a file", func(t *testing.T, dir string) {
			must(t, os.RemoveAll(dir))
			must(t, os.WriteFile(dir, nil, 0o600))
		}, "not a directory"},
		{"first start interrupted", func(t *testing.T, dir string) {
			must(t, os.RemoveAll(filepath.Join(dir, "member/wal")))
			must(t, os.Truncate(db(t, dir), 0))
		}, ""},
		{"database emptied", func(t *testing.T, dir string) { must(t, os.Truncate(db(t, dir), 0)) }, "is empty"},
		{"everything removed", func(t *testing.T, dir string) { must(t, os.RemoveAll(filepath.Join(dir, "member"))) }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opts := testOptions(t)
			opts.Dir = leakyDir(t)
			s := open(t, opts)
			for i := range 200 {
				putOnce(t, s, fmt.Sprintf("key %d", i), make([]byte, 100))
			}
			must(t, s.Close())
			tt.damage(t, opts.Dir)
			s, err := tryOpen(opts)
			if err == nil {
				defer s.Close()
				if _, _, err := s.Range(t.Context(), ""); err != nil {
					t.Error(err)
				}
			}
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("%v", err)
			case tt.want != "" && err == nil:
				t.Error("opened without an error")
			case err != nil && (!strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n")):
				t.Errorf("error %q, want one line with %q", err, tt.want)
			}
		})
	}
}

// TestNoSpace fills the quota with history, which can be thrown away, and then with data, which cannot.
func TestNoSpace(t *testing.T) {
	opts := testOptions(t)
	opts.QuotaBytes = 16 << 20
	var logged lockedBuffer
	opts.Logger = slog.New(slog.NewTextHandler(&logged, nil))
	s := open(t, opts)
	value := make([]byte, 256<<10)
	for i := range 200 { // 50 MB in all, 2.5 MB of them alive
		putOnce(t, s, fmt.Sprintf("k%d", i%10), value)
	}
	if !strings.Contains(logged.String(), "made room") {
		t.Error("the quota was never reached")
	}
	var err error
	n := 0
	for ; err == nil && n < 200; n++ {
		_, _, err = s.Txn(t.Context(), nil, []controller.Op{controller.Put(fmt.Sprintf("more %d", n), value)})
	}
	if !errors.Is(err, controller.ErrNoSpace) {
		t.Fatalf("after %d more: %v", n, err)
	}
	if got := values(t, s, "absent"); got != "" { // reads go on
		t.Error(got)
	}
	// Deleting is possible, and makes room.
	if _, _, err := s.Txn(t.Context(), nil, []controller.Op{controller.DeletePrefix("more")}); err != nil {
		t.Fatalf("delete: %v", err)
	}
	putOnce(t, s, "after", value)
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// TestUpkeep: history and log stay bounded while the store is written to, without anyone asking.
func TestUpkeep(t *testing.T) {
	opts := testOptions(t)
	s := open(t, opts)
	var wg sync.WaitGroup
	const writers, each = 32, 1500
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if _, _, err := s.Txn(t.Context(), nil, []controller.Op{controller.Put(fmt.Sprint(w), fmt.Append(nil, i))}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	segments := 0
	deadline := time.Now().Add(20 * time.Second)
	for {
		wals, err := filepath.Glob(filepath.Join(opts.Dir, "member/wal/*-*.wal"))
		if err != nil {
			t.Fatal(err)
		}
		segments = len(wals)
		// 48,000 transactions of 150 bytes make two segments; all but the newest are let go.
		if first := s.server.KV().FirstRev(); first >= writers*each-2*compactEvery && segments <= 2 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("history begins at %d, %d segments", s.server.KV().FirstRev(), segments)
		}
		time.Sleep(time.Millisecond)
	}
}

// TestNoPorts: a member makes no sockets at all.
func TestNoPorts(t *testing.T) {
	fds := func() (sockets int) {
		entries, _ := os.ReadDir("/proc/self/fd")
		for _, e := range entries {
			if to, _ := os.Readlink("/proc/self/fd/" + e.Name()); strings.HasPrefix(to, "socket:") {
				sockets++
			}
		}
		return sockets
	}
	before := fds() // none where there is no /proc: the test then shows nothing

	s := open(t, testOptions(t))
	putOnce(t, s, "k", nil)
	if after := fds(); after != before {
		t.Errorf("%d sockets, %d before", after, before)
	}
}

func TestFatalWhileServing(t *testing.T) {
	reasons, exits := make(chan error, 1), make(chan int, 1)
	end := newFatalities(func(err error) { reasons <- err }, func(code int) { exits <- code })
	lg := newZap(slog.New(slog.DiscardHandler), end, new(atomic.Bool))
	end.open()
	returned := make(chan bool, 1)
	go func() {
		defer close(returned)
		lg.Fatal("failed to save", zap.Error(errors.New("no space left on device")))
		returned <- true
	}()
	if got := (<-reasons).Error(); got != "metadata store: failed to save: no space left on device" {
		t.Error(got)
	}
	if code := <-exits; code != 1 {
		t.Errorf("exit status %d", code)
	}
	if <-returned {
		t.Error("etcd's goroutine went on")
	}
}

func TestLogIsQuiet(t *testing.T) {
	var b lockedBuffer
	lg := newZap(slog.New(slog.NewTextHandler(&b, nil)), newFatalities(nil, nil), new(atomic.Bool))
	for range 1000 {
		lg.Warn("slow", zap.Int("n", 1))
		lg.Info("hello")
	}
	lg.Named("x").With(zap.String("member", "me")).Error("other", zap.Duration("took", time.Second))
	if got := b.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "member=me") || !strings.Contains(got, "took=1s") {
		t.Errorf("%s", got)
	}
	// A whole life at the default level.
	b.b.Reset()
	opts := testOptions(t)
	opts.Logger = slog.New(slog.NewTextHandler(&b, nil))
	for range 2 {
		s := open(t, opts)
		putOnce(t, s, "k", nil)
		s.Close()
	}
	if got := b.String(); got != "" {
		t.Errorf("logged:\n%s", got)
	}
}

func TestOptions(t *testing.T) {
	for _, opts := range []Options{
		{},
		{Dir: t.TempDir(), Tick: 100 * time.Millisecond, Election: 150 * time.Millisecond},
		{Dir: t.TempDir(), PeerURL: "::"},
		{Dir: t.TempDir(), PeerURL: "ftp://x"},
	} {
		if s, err := tryOpen(opts); err == nil {
			t.Errorf("%+v opened", opts)
			s.Close()
		}
	}
}
