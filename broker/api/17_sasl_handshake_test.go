package api

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestSASLOnPlaintext covers SaslHandshake and SaslAuthenticate.
func TestSASLOnPlaintext(t *testing.T) {
	f := newFixture(t)
	f.versions(kmsg.NewPtrSASLHandshakeRequest(), func(v int16) {
		r := kmsg.NewPtrSASLHandshakeRequest()
		r.Version, r.Mechanism = v, "PLAIN"
		got := ask[*kmsg.SASLHandshakeResponse](f, r)
		equal(t, "handshake", got, &kmsg.SASLHandshakeResponse{Version: v, ErrorCode: 34})
	})
	f.versions(kmsg.NewPtrSASLAuthenticateRequest(), func(v int16) {
		r := kmsg.NewPtrSASLAuthenticateRequest()
		r.Version, r.SASLAuthBytes = v, []byte("\x00user\x00secret")
		got := ask[*kmsg.SASLAuthenticateResponse](f, r)
		equal(t, "code", got.ErrorCode, 34)
		equal(t, "message", text(got.ErrorMessage), "SaslAuthenticate request received after successful authentication")
		equal(t, "bytes", string(got.SASLAuthBytes), "")
	})
}
