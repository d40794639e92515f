package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// SaslHandshake, key 17, versions 0 and 1: KIP-43. Listeners are PLAINTEXT: a
// connection is past authentication when it is made, and Kafka names no
// mechanism there.

func saslHandshake(_ context.Context, _ *Deps, r *Request) Reply {
	out := r.Body.ResponseKind().(*kmsg.SASLHandshakeResponse)
	out.ErrorCode = kerr.IllegalSaslState.Code
	return answer(out)
}
