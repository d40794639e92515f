package controller

import (
	"encoding/base64"
	"slices"
)

// NoLeader is the leader of a partition that has none.
const NoLeader int32 = -1

// Topic is one topic. It is part of an Image: do not modify it.
type Topic struct {
	Name       string
	ID         [16]byte
	Partitions []PartitionState // by partition
	Configs    map[string]string
	Internal   bool

	// ModRevision and ConfigRevision are the store's revisions of the topic's own key and of its configuration; a
	// ConfigRevision of 0 means that there is none.
	ModRevision, ConfigRevision int64
}

// ReplicationFactor is the number of replicas of the first partition, which is what Kafka reports for the topic.
func (t *Topic) ReplicationFactor() int16 {
	if len(t.Partitions) == 0 {
		return 0
	}
	return int16(len(t.Partitions[0].Replicas))
}

// PartitionState is who leads a partition and who follows. The slices must not be modified: states share them.
type PartitionState struct {
	Leader         int32 // NoLeader: the partition is offline
	LeaderEpoch    int32 // grows with every election
	PartitionEpoch int32 // grows with every change of this state
	Replicas       []int32
	ISR            []int32
	// Recovering is set by an unclean election, until the new leader has told that it has recovered
	// (Kafka's LeaderRecoveryState).
	Recovering bool

	ModRevision int64 // the store's revision of this state; compare-and-swap compares it
}

// Equal says whether two states say the same, wherever in the store's history they stand.
func (p PartitionState) Equal(q PartitionState) bool {
	return p.Leader == q.Leader && p.LeaderEpoch == q.LeaderEpoch && p.PartitionEpoch == q.PartitionEpoch &&
		p.Recovering == q.Recovering && slices.Equal(p.Replicas, q.Replicas) && slices.Equal(p.ISR, q.ISR)
}

// Broker is the registration of one broker.
type Broker struct {
	ID          int32
	Rack        string // "": none
	Endpoints   []Endpoint
	Incarnation [16]byte // a new one at every start of the process
	// Epoch is greater than that of every earlier registration of any broker: the store's revision at which this one
	// was made. Changes of the registration leave it as it is.
	Epoch  int64
	Fenced bool // a fenced broker leads nothing and is in no ISR

	ModRevision int64
}

// Endpoint is one listener of a broker, as clients are told.
type Endpoint struct {
	Listener string
	Protocol string // PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL
	Host     string
	Port     int32
}

// FormatID returns an id in Kafka's text form: 22 characters of URL base64.
func FormatID(id [16]byte) string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// ParseID is the reverse of FormatID.
func ParseID(s string) (id [16]byte, ok bool) {
	if len(s) != 22 {
		return id, false
	}
	n, err := base64.RawURLEncoding.Strict().Decode(id[:], []byte(s))
	return id, err == nil && n == len(id)
}

// usableID says whether Kafka would hand out this random id: not the zero id, not the id of the metadata log
// (the one id), and, because command lines take the text form, none that begins with a dash.
func usableID(id [16]byte) bool {
	if id == ([16]byte{}) || id == ([16]byte{15: 1}) {
		return false
	}
	return FormatID(id)[0] != '-'
}

// stampV4 makes 16 random bytes a version 4 UUID.
func stampV4(id *[16]byte) {
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
}
