package api

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// This file is how handlers wait for the group coordinator: it answers on a
// channel, when what it decided is in the metadata store. All of it happens in
// Reply.Wait, even what is read from memory: a connection's requests see what its
// earlier ones did.

// storeGrace is how much longer an answer is waited for that only needs the
// metadata store, when the client is gone or the broker stops: telling a client
// that a commit failed that has passed would make it process records twice.
const storeGrace = 2 * time.Second

// inTurn builds the answer when every earlier request of the connection is
// answered.
func inTurn(build func() Reply) Reply {
	return Reply{Wait: func(context.Context) Reply { return build() }}
}

// onceStored builds the answer when the coordinator's is there; arrived is false
// if it did not come in time.
func onceStored[R any](ch <-chan R, build func(r R, arrived bool) kmsg.Response) Reply {
	return Reply{Wait: func(ctx context.Context) Reply {
		r, arrived := stored(ctx, ch)
		return answer(build(r, arrived))
	}}
}

// stored waits for a coordinator's answer; arrived is false if it did not come in
// time.
func stored[R any](ctx context.Context, ch <-chan R) (r R, arrived bool) {
	select {
	case r = <-ch:
		return r, true
	case <-ctx.Done():
	}
	grace := time.NewTimer(storeGrace)
	defer grace.Stop()
	select {
	case r = <-ch:
		return r, true
	case <-grace.C:
		return r, false
	}
}

// onceOthersAct is onceStored for what waits for other members: it ends at once
// when the client is gone or the broker stops.
func onceOthersAct[R any](ch <-chan R, build func(r R, arrived bool) kmsg.Response) Reply {
	return Reply{Wait: func(ctx context.Context) Reply {
		var r R
		select {
		case r = <-ch:
			return answer(build(r, true))
		case <-ctx.Done():
			return answer(build(r, false))
		}
	}}
}
