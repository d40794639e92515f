package kafkadir

import "github.com/twmb/franz-go/pkg/kbin"

// What cannot be taken over is counted, so that whoever moves in is told of it:
// a cluster without its ACLs is open to everybody.

// Types of records of what is only counted.
const (
	scramRecord       = 11
	quotaRecord       = 14
	aclRecord         = 18
	removeACLRecord   = 19
	removeSCRAMRecord = 22
)

// What Metadata.Others counts.
const (
	acls      = "ACLs"
	quotas    = "client quotas"
	passwords = "SCRAM credentials"
)

// other is one thing that is only counted.
type other struct{ kind, key string }

// other applies a record of such a thing; the other types it passes over.
func (r *replay) other(kind uint32, in *kbin.Reader) {
	switch kind {
	case aclRecord, removeACLRecord:
		id := in.Uuid()
		r.set(in, other{acls, string(id[:])}, kind == aclRecord)
	case scramRecord, removeSCRAMRecord:
		key := in.Src
		in.CompactString() // user
		in.Int8()          // mechanism
		r.set(in, other{passwords, string(key[:len(key)-len(in.Src)])}, kind == scramRecord)
	case quotaRecord:
		key := in.Src
		for n := in.CompactArrayLen(); n > 0 && in.Ok(); n-- {
			in.CompactString()         // type
			in.CompactNullableString() // name
			for tags := in.Uvarint(); tags > 0 && in.Ok(); tags-- {
				in.Uvarint()
				in.Span(int(in.Uvarint()))
			}
		}
		in.CompactString() // which quota
		key = key[:len(key)-len(in.Src)]
		in.Float64()
		r.set(in, other{quotas, string(key)}, !in.Bool())
	}
}

// set notes that there is such a thing now, or no longer.
func (r *replay) set(in *kbin.Reader, o other, there bool) {
	if in.Ok() && there {
		r.others[o] = true
	} else if in.Ok() {
		delete(r.others, o)
	}
}

// countOthers counts by kind; nil if there is nothing.
func (r *replay) countOthers() map[string]int {
	var n map[string]int
	for o := range r.others {
		if n == nil {
			n = make(map[string]int)
		}
		n[o.kind]++
	}
	return n
}
