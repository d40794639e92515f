package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// UnregisterBroker, key 64, version 0: KIP-500.
//
// Deviation: a broker that runs is not unregistered (INVALID_REQUEST). Kafka does
// it, and a cluster of one serves nobody until it is started again.

func unregisterBroker(ctx context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.UnregisterBrokerRequest)
	out := in.ResponseKind().(*kmsg.UnregisterBrokerResponse)
	ctx, cancel := withoutTimeout(ctx, d)
	defer cancel()
	revision, err := d.Controller.UnregisterBroker(ctx, in.BrokerID)
	if err != nil {
		out.ErrorCode, out.ErrorMessage = code(err), message(err)
		return answer(out)
	}
	awaitServed(ctx, d, revision)
	out.ErrorMessage = kmsg.StringPtr("") // not null: Kafka leaves the default
	return answer(out)
}
