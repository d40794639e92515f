package api

import (
	"fmt"
	"math"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

type quotaChange struct {
	entity [][2]string // type and name, "-" for null
	ops    []kmsg.AlterClientQuotasRequestEntryOp
}

func quota(key string, value float64) []kmsg.AlterClientQuotasRequestEntryOp {
	return []kmsg.AlterClientQuotasRequestEntryOp{{Key: key, Value: value}}
}

// alterQuotas answers a line for each entity of the response.
func (f *fixture) alterQuotas(version int16, validateOnly bool, changes ...quotaChange) (lines []string) {
	r := kmsg.NewPtrAlterClientQuotasRequest()
	r.Version, r.ValidateOnly = version, validateOnly
	for _, c := range changes {
		e := kmsg.AlterClientQuotasRequestEntry{Ops: c.ops}
		for _, p := range c.entity {
			part := kmsg.AlterClientQuotasRequestEntryEntity{Type: p[0]}
			if p[1] != "-" {
				part.Name = &p[1]
			}
			e.Entity = append(e.Entity, part)
		}
		r.Entries = append(r.Entries, e)
	}
	for _, e := range ask[*kmsg.AlterClientQuotasResponse](f, r).Entries {
		line := ""
		for _, p := range e.Entity {
			line += fmt.Sprintf("%s=%s ", p.Type, text(p.Name))
		}
		lines = append(lines, fmt.Sprintf("%se%d %s", line, e.ErrorCode, text(e.ErrorMessage)))
	}
	return lines
}

// TestAlterClientQuotas: codes and messages are those of Apache Kafka 4.3.1, but
// for what it would do.
func TestAlterClientQuotas(t *testing.T) {
	f := newFixture(t)
	const set = "e35 This broker does not enforce client quotas: none can be set."
	remove := []kmsg.AlterClientQuotasRequestEntryOp{{Key: "producer_byte_rate", Remove: true}, {Key: "unheard_of", Remove: true}}
	twice := append(quota("x", 1), quota("x", 2)...)
	mixed := append(quota("producer_byte_rate", 1), quota("x", 2)...)
	user := [][2]string{{"user", "a"}}
	ip := [][2]string{{"ip", "1.2.3.4"}}
	for _, c := range []struct {
		entity [][2]string
		ops    []kmsg.AlterClientQuotasRequestEntryOp
		want   string
	}{
		{user, nil, "user=a e0 null"},
		{user, remove, "user=a e0 null"},
		{user, quota("producer_byte_rate", 1000), "user=a " + set},
		{user, quota("request_percentage", 1.5), "user=a " + set},
		{user, quota("controller_mutation_rate", 0.1), "user=a " + set},
		{[][2]string{{"user", "-"}}, quota("consumer_byte_rate", math.NaN()), "user=null " + set},
		{ip, quota("connection_creation_rate", math.MaxInt32), "ip=1.2.3.4 " + set},
		{[][2]string{{"user", "x"}, {"user", "y"}}, quota("producer_byte_rate", 1), "user=y " + set},
		{user, quota("foo", 1), "user=a e42 Invalid configuration key foo"},
		{user, mixed, "user=a e42 Invalid configuration key x"},
		{ip, quota("producer_byte_rate", 1), "ip=1.2.3.4 e42 Invalid configuration key producer_byte_rate"},
		{user, quota("producer_byte_rate", 0), "user=a e42 Quota producer_byte_rate must be greater than 0"},
		{user, quota("request_percentage", -1), "user=a e42 Quota request_percentage must be greater than 0"},
		{user, quota("consumer_byte_rate", 1.5), "user=a e42 consumer_byte_rate cannot be a fractional value."},
		{user, quota("producer_byte_rate", 1e30), "user=a e42 Proposed value for producer_byte_rate is too large for a LONG."},
		{ip, quota("connection_creation_rate", 1e10), "ip=1.2.3.4 e42 Proposed value for connection_creation_rate is too large for an INT."},
		{nil, remove, "e42 Invalid empty client quota entity"},
		{[][2]string{{"foo", "x"}}, remove, "foo=x e42 Unhandled client quota entity type: foo"},
		{[][2]string{{"", "x"}}, remove, "=x e42 Unhandled client quota entity type: "},
		{[][2]string{{"foo", "x"}, {"user", ""}}, remove, "user= foo=x e42 Empty user not supported"},
		{[][2]string{{"client-id", ""}}, remove, "client-id= e42 Empty client-id not supported"},
		{[][2]string{{"ip", "-"}, {"user", "a"}}, remove,
			"user=a ip=null e42 Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId"},
		{[][2]string{{"ip", "-"}, {"user", "a"}, {"client-id", "c"}}, twice,
			"client-id=c user=a ip=null e42 Ignoring duplicate entity ClientQuotaEntity(entries={client-id=c, user=a, ip=null})"},
	} {
		f.versions(kmsg.NewPtrAlterClientQuotasRequest(), func(v int16) {
			for _, validateOnly := range []bool{true, false} {
				equal(t, fmt.Sprint(c.entity, c.ops), f.alterQuotas(v, validateOnly, quotaChange{c.entity, c.ops}), []string{c.want})
			}
		})
	}
	equal(t, "an entity twice", f.alterQuotas(1, false, quotaChange{user, remove}, quotaChange{ip, remove}, quotaChange{user, remove}),
		[]string{"user=a e42 Ignoring duplicate entity ClientQuotaEntity(entries={user=a})", "ip=1.2.3.4 e0 null"})
	equal(t, "nothing", f.alterQuotas(1, false), nil)
}
