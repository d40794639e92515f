package api

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestAlterUserSCRAMCredentials: codes and messages are those of Apache Kafka
// 4.3.1, but for what it would store.
func TestAlterUserSCRAMCredentials(t *testing.T) {
	f := newFixture(t)
	type drop = kmsg.AlterUserSCRAMCredentialsRequestDeletion
	type put = kmsg.AlterUserSCRAMCredentialsRequestUpsertion
	const (
		missing  = " e91 Attempt to delete a user credential that does not exist"
		nameless = " e93 Username must not be empty"
		unknown  = " e33 Unknown SCRAM mechanism"
		few      = " e93 Too few iterations"
		many     = " e93 Too many iterations"
		twice    = " e92 A user credential cannot be altered twice in the same request"
		stored   = " e35 This broker has no SASL: SCRAM credentials cannot be stored."
	)
	for _, c := range []struct {
		deletions  []drop
		upsertions []put
		want       []string
	}{
		{nil, nil, nil},
		{[]drop{{Name: "a", Mechanism: 1}, {Name: "a", Mechanism: 2}, {Name: "", Mechanism: 1}}, nil, []string{"a" + missing, nameless}},
		{[]drop{{Name: "a", Mechanism: 0}, {Name: "b", Mechanism: 3}}, nil, []string{"a" + unknown, "b" + unknown}},
		{nil, []put{{Name: "b", Mechanism: 2, Iterations: 4096}, {Name: "a", Mechanism: 1, Iterations: 16384}}, []string{"b" + stored, "a" + stored}},
		{nil, []put{{Name: "a", Mechanism: 1, Iterations: 4095}, {Name: "b", Mechanism: 1, Iterations: 16385}}, []string{"a" + few, "b" + many}},
		{nil, []put{{Name: "a", Mechanism: 9, Iterations: 1}, {Name: "", Mechanism: 9, Iterations: 1}}, []string{"a" + unknown, nameless}},
		{nil, []put{{Name: "a", Mechanism: 1, Iterations: 4096}, {Name: "a", Mechanism: 2, Iterations: 4096}, {Name: "a", Mechanism: 2, Iterations: 1}}, []string{"a" + twice}},
		{nil, []put{{Name: "a", Mechanism: 1, Iterations: 1}, {Name: "a", Mechanism: 1, Iterations: 4096}}, []string{"a" + few}},
		{[]drop{{Name: "a", Mechanism: 1}}, []put{{Name: "a", Mechanism: 1, Iterations: 4096}, {Name: "c", Mechanism: 1}}, []string{"a" + missing, "c" + few}},
	} {
		r := kmsg.NewPtrAlterUserSCRAMCredentialsRequest()
		r.Deletions, r.Upsertions = c.deletions, c.upsertions
		var lines []string
		for _, o := range ask[*kmsg.AlterUserSCRAMCredentialsResponse](f, r).Results {
			lines = append(lines, fmt.Sprintf("%s e%d %s", o.User, o.ErrorCode, text(o.ErrorMessage)))
		}
		equal(t, fmt.Sprint(c.deletions, c.upsertions), lines, c.want)
	}
}
