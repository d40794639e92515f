package api

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestDescribeUserSCRAMCredentials(t *testing.T) {
	f := newFixture(t)
	const missing = "Attempt to describe a user credential that does not exist: "
	for _, c := range []struct {
		users []string
		want  []string
	}{
		{nil, nil},
		{[]string{"b", ""}, []string{"b e91 " + missing + "b", " e91 " + missing}},
		{[]string{"a", "b", "a", "a"}, []string{"a e92 Cannot describe SCRAM credentials for the same user twice in a single request: a", "b e91 " + missing + "b"}},
	} {
		r := kmsg.NewPtrDescribeUserSCRAMCredentialsRequest()
		for _, u := range c.users {
			r.Users = append(r.Users, kmsg.DescribeUserSCRAMCredentialsRequestUser{Name: u})
		}
		got := ask[*kmsg.DescribeUserSCRAMCredentialsResponse](f, r)
		equal(t, "error", fmt.Sprintf("%d %q", got.ErrorCode, text(got.ErrorMessage)), `0 ""`)
		var lines []string
		for _, o := range got.Results {
			lines = append(lines, fmt.Sprintf("%s e%d %s", o.User, o.ErrorCode, text(o.ErrorMessage)))
			equal(t, "credentials", len(o.CredentialInfos), 0)
		}
		equal(t, fmt.Sprint(c.users), lines, c.want)
	}
}
