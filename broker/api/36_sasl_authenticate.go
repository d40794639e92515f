package api

import (
	"context"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// SaslAuthenticate, key 36, versions 0 to 2: KIP-152, KIP-368. On a PLAINTEXT
// listener it always comes too late (see SaslHandshake).

func saslAuthenticate(_ context.Context, _ *Deps, r *Request) Reply {
	out := r.Body.ResponseKind().(*kmsg.SASLAuthenticateResponse)
	out.ErrorCode = kerr.IllegalSaslState.Code
	out.ErrorMessage = kmsg.StringPtr("SaslAuthenticate request received after successful authentication")
	return answer(out)
}
