package etcd

import (
	"context"
	"testing"
	"time"

	"blumfeld/controller"
	"blumfeld/controller/storetest"
)

func open(t testing.TB, opts Options) *Store {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	s, err := Open(ctx, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func testOptions(t testing.TB) Options {
	return Options{Dir: t.TempDir(), NodeID: 1, NoSync: true}
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Store { return open(t, testOptions(t)) })
}

var _ controller.Store = (*Store)(nil)
