package api

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestDelegationTokensOnPlaintext covers the requests that create, renew, expire
// and describe delegation tokens.
func TestDelegationTokensOnPlaintext(t *testing.T) {
	f := newFixture(t)
	null, empty, user, bob := (*string)(nil), kmsg.StringPtr(""), kmsg.StringPtr("User"), kmsg.StringPtr("bob")
	f.versions(kmsg.NewPtrCreateDelegationTokenRequest(), func(v int16) {
		for _, c := range []struct {
			ownerType, owner *string
			want             string
		}{
			{null, null, "User:ANONYMOUS"}, {user, null, "User:ANONYMOUS"}, {user, empty, "User:ANONYMOUS"},
			{user, bob, "User:bob"}, {empty, bob, ":bob"}, {null, bob, ":bob"},
		} {
			r := kmsg.NewPtrCreateDelegationTokenRequest()
			r.Version, r.OwnerPrincipalType, r.OwnerPrincipalName = v, c.ownerType, c.owner
			r.Renewers = []kmsg.CreateDelegationTokenRequestRenewer{{PrincipalType: "Group", PrincipalName: "x"}}
			got := ask[*kmsg.CreateDelegationTokenResponse](f, r)
			want := c.want + " by User:ANONYMOUS"
			if v < 3 { // which have no owners
				want = "User:ANONYMOUS by :"
			}
			equal(t, fmt.Sprint("principals in version ", v), fmt.Sprintf("%s:%s by %s:%s", got.PrincipalType, got.PrincipalName,
				got.TokenRequesterPrincipalType, got.TokenRequesterPrincipalName), want)
			equal(t, "token", fmt.Sprintf("%d %d %d %d %q %q", got.ErrorCode, got.IssueTimestamp, got.ExpiryTimestamp, got.MaxTimestamp, got.TokenID, got.HMAC),
				`64 -1 -1 -1 "" ""`)
		}
	})
	f.versions(kmsg.NewPtrRenewDelegationTokenRequest(), func(v int16) {
		r := kmsg.NewPtrRenewDelegationTokenRequest()
		r.Version = v
		got := ask[*kmsg.RenewDelegationTokenResponse](f, r)
		equal(t, "renewed", fmt.Sprint(got.ErrorCode, got.ExpiryTimestamp), "64 -1")
	})
	f.versions(kmsg.NewPtrExpireDelegationTokenRequest(), func(v int16) {
		r := kmsg.NewPtrExpireDelegationTokenRequest()
		r.Version = v
		got := ask[*kmsg.ExpireDelegationTokenResponse](f, r)
		equal(t, "expired", fmt.Sprint(got.ErrorCode, got.ExpiryTimestamp), "64 -1")
	})
	f.versions(kmsg.NewPtrDescribeDelegationTokenRequest(), func(v int16) {
		r := kmsg.NewPtrDescribeDelegationTokenRequest()
		r.Version = v
		got := ask[*kmsg.DescribeDelegationTokenResponse](f, r)
		equal(t, "described", fmt.Sprint(got.ErrorCode, len(got.TokenDetails)), "64 0")
	})
}
