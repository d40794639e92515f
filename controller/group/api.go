package group

import "time"

// Config holds the broker properties that rule groups. Kafka's name for each stands beside it.
type Config struct {
	InitialRebalanceDelayMs int32 // group.initial.rebalance.delay.ms
	MinSessionTimeoutMs     int32 // group.min.session.timeout.ms
	MaxSessionTimeoutMs     int32 // group.max.session.timeout.ms
	MaxSize                 int   // group.max.size; members
	OffsetMetadataMaxBytes  int   // offset.metadata.max.bytes
	OffsetsRetentionMs      int64 // offsets.retention.minutes, in ms
	OffsetsRetentionCheckMs int64 // offsets.retention.check.interval.ms; 0: offsets are never expired
}

// DefaultConfig returns Apache Kafka's defaults.
func DefaultConfig() Config {
	return Config{
		InitialRebalanceDelayMs: 3_000,
		MinSessionTimeoutMs:     6_000,
		MaxSessionTimeoutMs:     30 * 60_000,
		MaxSize:                 1<<31 - 1,
		OffsetMetadataMaxBytes:  4096,
		OffsetsRetentionMs:      (7 * 24 * time.Hour).Milliseconds(),
		OffsetsRetentionCheckMs: (10 * time.Minute).Milliseconds(),
	}
}

// Protocol is one way to divide the work that a member supports: for consumers an assignor's name and the subscription.
type Protocol struct {
	Name     string
	Metadata []byte
}

// JoinRequest is what JoinGroup asks. Its byte slices are the Coordinator's from then on.
type JoinRequest struct {
	Group, MemberID      string
	InstanceID           *string // static member (KIP-345)
	ClientID, ClientHost string
	SessionTimeoutMs     int32
	RebalanceTimeoutMs   int32 // v0 has none: the session timeout
	ProtocolType         string
	Protocols            []Protocol // in the member's order of preference
	Reason               string
	// RequireKnownMemberID: a new dynamic member is first only told its id (KIP-394, v4).
	RequireKnownMemberID bool
	// SupportsSkipAssignment: a leader that comes back as a static member may be told not to assign (KIP-814, v9).
	SupportsSkipAssignment bool
}

// JoinResponse answers a JoinRequest. Generation is -1 where Err is set.
type JoinResponse struct {
	Err                    error
	Generation             int32
	ProtocolType, Protocol *string
	Leader, MemberID       string
	SkipAssignment         bool
	Members                []JoinedMember // for the leader only
}

// JoinedMember is what the leader learns of a member.
type JoinedMember struct {
	ID         string
	InstanceID *string
	Metadata   []byte // of the chosen protocol
}

// SyncRequest is what SyncGroup asks. ProtocolType and Protocol are nil before v5 and then not checked.
type SyncRequest struct {
	Group, MemberID        string
	InstanceID             *string
	Generation             int32
	ProtocolType, Protocol *string
	Assignments            map[string][]byte // by member id; from the leader
}

// SyncResponse answers a SyncRequest.
type SyncResponse struct {
	Err                    error
	ProtocolType, Protocol *string
	Assignment             []byte
}

// HeartbeatRequest is what Heartbeat asks.
type HeartbeatRequest struct {
	Group, MemberID string
	InstanceID      *string
	Generation      int32
}

// LeavingMember names a member by id, or by instance id alone (MemberID "") when an administrator removes it.
type LeavingMember struct {
	MemberID   string
	InstanceID *string
	Reason     string
}

// LeaveRequest is what LeaveGroup asks.
type LeaveRequest struct {
	Group   string
	Members []LeavingMember
}

// LeaveResponse answers a LeaveRequest. If Err is set Members is empty.
type LeaveResponse struct {
	Err     error
	Members []LeftMember // in the order of the request
}

// LeftMember is one member's part of a LeaveResponse.
type LeftMember struct {
	MemberID   string
	InstanceID *string
	Err        error
}

// OffsetToCommit is the position of a group in one partition.
type OffsetToCommit struct {
	Topic       string
	Partition   int32
	Offset      int64
	LeaderEpoch int32 // -1: not known
	Metadata    string
}

// CommitRequest is what OffsetCommit asks. Generation -1 and MemberID "" is a simple consumer, which needs no group, or
// an administrator.
type CommitRequest struct {
	Group, MemberID string
	InstanceID      *string
	Generation      int32
	Offsets         []OffsetToCommit
}

// CommitResponse has an error, or nil, for each offset of the request. If the group does not exist and the request
// names a generation that is GroupIDNotFound: OffsetCommit before v9 calls it IllegalGeneration.
type CommitResponse struct{ Errs []error }

// TxnCommitRequest is what TxnOffsetCommit asks. Before v3 it names neither member nor generation: "", nil and -1.
type TxnCommitRequest struct {
	CommitRequest
	ProducerID int64
	Epoch      int16
	Guard      TxnGuard // of the BeginTxnResponse
}

// TxnGuard stands for the time at which a TxnOffsetCommit began to be verified. The zero value is void.
type TxnGuard struct {
	shard   *core
	markers uint64 // that the shard had taken by then
}

// BeginTxnResponse answers BeginTxnCommit. Whether Needed or not, Guard goes with the commit.
type BeginTxnResponse struct {
	Err    error
	Guard  TxnGuard
	Needed bool // the transaction coordinator is to be asked whether the group is part of the transaction
}

// EndTxnRequest is a transaction marker for __consumer_offsets, of any of its partitions.
type EndTxnRequest struct {
	ProducerID         int64
	Epoch              int16
	Commit             bool
	CoordinatorEpoch   int32
	TransactionVersion int16 // from 2 on Epoch is above that of the transaction (KIP-890)
}

// FetchRequest is what OffsetFetch asks for one group. Topics nil: all offsets. MemberID and MemberEpoch belong to the
// consumer protocol (KIP-848); they do not matter to a classic group.
type FetchRequest struct {
	Group       string
	Topics      map[string][]int32
	MemberID    string
	MemberEpoch int32
	// RequireStable: UnstableOffsetCommit for a partition of which a transaction has a commit pending (KIP-447).
	RequireStable bool
}

// FetchResponse answers a FetchRequest: sorted by topic, and by partition or as asked. A group that does not exist is no
// error.
type FetchResponse struct {
	Err     error
	Offsets []CommittedOffset
}

// CommittedOffset is Offset -1, LeaderEpoch -1 if nothing is committed.
type CommittedOffset struct {
	Topic       string
	Partition   int32
	Offset      int64
	LeaderEpoch int32
	Metadata    string
	Err         error
}

// Description is what DescribeGroups tells. A group that does not exist has State "Dead" and Err GroupIDNotFound;
// DescribeGroups before v6 leaves the error out.
type Description struct {
	Err          error
	Group, State string
	ProtocolType string
	Protocol     string // only in state Stable
	Members      []DescribedMember
}

// DescribedMember is a member in a Description. Metadata is empty unless the group is Stable; Assignment is the member's
// latest, which during a rebalance it may still be working on.
type DescribedMember struct {
	ID                   string
	InstanceID           *string
	ClientID, ClientHost string
	Metadata, Assignment []byte
}

// ListFilter narrows ListGroups. Nothing in a list: no condition. Case does not matter.
type ListFilter struct{ States, Types []string }

// Listing is a group in ListGroups.
type Listing struct {
	Group, ProtocolType, State string
	Type                       string // "classic"
}

// TopicPartition names a partition.
type TopicPartition struct {
	Topic     string
	Partition int32
}

// DeleteOffsetsRequest is what OffsetDelete asks.
type DeleteOffsetsRequest struct {
	Group      string
	Partitions []TopicPartition
}

// DeleteOffsetsResponse answers a DeleteOffsetsRequest: Err (GroupIDNotFound, NonEmptyGroup, …) for the whole, or an
// error or nil for each partition of the request (GroupSubscribedToTopic).
type DeleteOffsetsResponse struct {
	Err  error
	Errs []error
}
