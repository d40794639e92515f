package api

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// AlterClientQuotas, key 49, versions 0 and 1: KIP-546.
//
// Deviation: quotas are not enforced, so none can be set. What Kafka refuses is
// refused in its words, what it would set is an UNSUPPORTED_VERSION; to remove
// what is not there succeeds, as in Kafka. An IP entity's name is not looked up
// in the DNS, since nothing comes of it.

func alterClientQuotas(_ context.Context, _ *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.AlterClientQuotasRequest)
	out := in.ResponseKind().(*kmsg.AlterClientQuotasResponse)
	at := make(map[string]int, len(in.Entries)) // entity -> its place in out
	for _, e := range in.Entries {
		entity := newQuotaEntity(e.Entity)
		name := entity.String()
		err := checkQuotas(entity, e.Ops)
		i, repeated := at[name]
		if !repeated {
			i = len(out.Entries)
			at[name] = i
			o := kmsg.NewAlterClientQuotasResponseEntry()
			for _, p := range entity {
				o.Entity = append(o.Entity, kmsg.AlterClientQuotasResponseEntryEntity{Type: p.Type, Name: p.Name})
			}
			out.Entries = append(out.Entries, o)
		}
		if repeated || repeatsQuota(e.Ops) {
			err = refusal(kerr.InvalidRequest, "Ignoring duplicate entity %s", name)
		}
		out.Entries[i].ErrorCode, out.Entries[i].ErrorMessage = code(err), message(err)
	}
	return answer(out)
}

// quotaEntity is who a quota is for: each type once, in Kafka's order. A null
// name is the default of its type.
type quotaEntity []kmsg.AlterClientQuotasRequestEntryEntity

// newQuotaEntity: of a type that comes twice the last one counts.
func newQuotaEntity(parts []kmsg.AlterClientQuotasRequestEntryEntity) quotaEntity {
	byType := make(map[string]kmsg.AlterClientQuotasRequestEntryEntity, len(parts))
	for _, p := range parts {
		byType[p.Type] = p
	}
	entity := make(quotaEntity, 0, len(byType))
	for _, known := range []string{quotaClientID, quotaUser, quotaIP} {
		if p, ok := byType[known]; ok {
			entity = append(entity, p)
			delete(byType, known)
		}
	}
	rest := len(entity)
	for _, p := range byType {
		entity = append(entity, p)
	}
	slices.SortFunc(entity[rest:], func(a, b kmsg.AlterClientQuotasRequestEntryEntity) int { return strings.Compare(a.Type, b.Type) })
	return entity
}

// String is the text that Kafka's messages have for it.
func (e quotaEntity) String() string {
	parts := make([]string, len(e))
	for i, p := range e {
		parts[i] = p.Type + "=null"
		if p.Name != nil {
			parts[i] = p.Type + "=" + *p.Name
		}
	}
	return "ClientQuotaEntity(entries={" + strings.Join(parts, ", ") + "})"
}

func (e quotaEntity) has(entityType string) bool {
	return slices.ContainsFunc(e, func(p kmsg.AlterClientQuotasRequestEntryEntity) bool { return p.Type == entityType })
}

func repeatsQuota(ops []kmsg.AlterClientQuotasRequestEntryOp) bool {
	seen := make(map[string]bool, len(ops))
	for _, op := range ops {
		if seen[op.Key] {
			return true
		}
		seen[op.Key] = true
	}
	return false
}

// quotaLimits are the highest values of the quotas that an entity may have, by
// key; +Inf for those that need not be whole numbers.
func (e quotaEntity) quotaLimits() map[string]float64 {
	if e.has(quotaIP) {
		return map[string]float64{"connection_creation_rate": math.MaxInt32}
	}
	return map[string]float64{
		"producer_byte_rate":       math.MaxInt64,
		"consumer_byte_rate":       math.MaxInt64,
		"request_percentage":       math.Inf(1),
		"controller_mutation_rate": math.Inf(1),
	}
}

// checkQuotas follows ClientQuotaControlManager.alterClientQuotaEntity; nil if
// the operations change nothing.
func checkQuotas(entity quotaEntity, ops []kmsg.AlterClientQuotasRequestEntryOp) error {
	if len(entity) == 0 {
		return refusal(kerr.InvalidRequest, "Invalid empty client quota entity")
	}
	for _, p := range entity {
		switch p.Type {
		case quotaClientID, quotaUser, quotaIP:
		default:
			return refusal(kerr.InvalidRequest, "Unhandled client quota entity type: %s", p.Type)
		}
		if p.Name != nil && *p.Name == "" {
			return refusal(kerr.InvalidRequest, "Empty %s not supported", p.Type)
		}
	}
	if entity.has(quotaIP) && len(entity) > 1 {
		return refusal(kerr.InvalidRequest, "Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId")
	}
	limits := entity.quotaLimits()
	changes := false
	for _, op := range ops {
		if op.Remove {
			continue
		}
		if err := checkQuota(limits, op.Key, op.Value); err != nil {
			return err
		}
		changes = true
	}
	if changes {
		return refusal(kerr.UnsupportedVersion, "This broker does not enforce client quotas: none can be set.")
	}
	return nil
}

func checkQuota(limits map[string]float64, key string, value float64) error {
	limit, known := limits[key]
	switch {
	case !known:
		return refusal(kerr.InvalidRequest, "Invalid configuration key %s", key)
	case value <= 0:
		return refusal(kerr.InvalidRequest, "Quota %s must be greater than 0", key)
	case math.IsInf(limit, 1):
		return nil
	case value > limit && limit == math.MaxInt32:
		return refusal(kerr.InvalidRequest, "Proposed value for %s is too large for an INT.", key)
	case value > limit:
		return refusal(kerr.InvalidRequest, "Proposed value for %s is too large for a LONG.", key)
	case math.Mod(value, 1) > 1e-6:
		return refusal(kerr.InvalidRequest, "%s cannot be a fractional value.", key)
	}
	return nil
}
