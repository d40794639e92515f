package etcd

import (
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"fmt"
	"sync"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// tokenPrefix is followed by the node's id, a slash and the token's number.
const tokenPrefix = "\x00token/"

// token lets one transaction at a time be retried without taking effect twice; doc.go explains how. There are as many
// as there were transactions at the same moment, and they are used again after a restart.
type token struct {
	key   []byte
	rev   int64 // of the key, as far as we know; 0: it does not exist
	value []byte
	n     uint64
}

// tokens are those of this node that no transaction holds. mu guards them; nothing is called under it.
type tokens struct {
	prefix  string
	session [8]byte // sets the values of this process apart from those of earlier ones

	mu   sync.Mutex
	idle []*token
	made int
}

func tokensOf(node int32) *tokens {
	ts := &tokens{prefix: fmt.Sprintf("%s%d/", tokenPrefix, node)}
	crand.Read(ts.session[:])
	return ts
}

// loadTokens finds the tokens that earlier processes of this node have made.
func loadTokens(ctx context.Context, s *Store) (*tokens, error) {
	ts := tokensOf(s.opts.NodeID)
	end := []byte(ts.prefix)
	end[len(end)-1]++
	var resp *pb.RangeResponse
	err := s.retry(ctx, func(ctx context.Context) (err error) {
		resp, err = s.server.Range(ctx, &pb.RangeRequest{Key: []byte(ts.prefix), RangeEnd: end})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("metadata store: first read: %w", err)
	}
	for _, kv := range resp.Kvs {
		ts.idle = append(ts.idle, &token{key: kv.Key, rev: kv.ModRevision})
	}
	ts.made = len(ts.idle)
	return ts, nil
}

// take returns an idle token: the one that was used last, so that few are in use.
func (ts *tokens) take() *token {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	if n := len(ts.idle); n > 0 {
		t := ts.idle[n-1]
		ts.idle = ts.idle[:n-1]
		ts.start(t)
		return t
	}
	t := &token{key: fmt.Appendf(nil, "%s%d", ts.prefix, ts.made)}
	ts.made++
	ts.start(t)
	return t
}

func (ts *tokens) start(t *token) {
	if t.value == nil {
		t.value = append(make([]byte, 0, 16), ts.session[:]...)
		t.value = binary.BigEndian.AppendUint64(t.value, 0)
	}
}

func (ts *tokens) give(t *token) {
	ts.mu.Lock()
	ts.idle = append(ts.idle, t)
	ts.mu.Unlock()
}

// renew gives the token a value that it never had.
func (t *token) renew() {
	t.n++
	t.value = append(t.value[:8:8], 0, 0, 0, 0, 0, 0, 0, 0)
	binary.BigEndian.PutUint64(t.value[8:], t.n)
}
