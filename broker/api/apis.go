package api

import (
	"context"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/broker/config"
	"blumfeld/broker/replica"
	"blumfeld/controller"
	"blumfeld/controller/group"
	"blumfeld/controller/txn"
	"blumfeld/protocol"
)

// Deps is what handlers work with. It is filled once, before the first request,
// and only read afterwards.
type Deps struct {
	NodeID     int32
	Config     config.Values // static broker configuration
	Controller *controller.Controller
	Partitions *replica.Set
	Sessions   *FetchSessions
	// FetchMaxBytes bounds the records of one Fetch response (fetch.max.bytes).
	FetchMaxBytes int
	// AnswerMaxBytes bounds what an answer takes in memory whose size is a multiple
	// of its request's; what would need more closes the connection.
	AnswerMaxBytes int
	Producers      *ProducerIDs
	Groups         *group.Coordinator
	Txns           *txn.Coordinator
	Markers        Markers
	Logger         *slog.Logger
	LogLevel       *slog.LevelVar // what Logger's messages are let through by; changed at run time (KIP-412)
	Now            func() time.Time
}

// Request is a decoded request and what its connection knows about its sender.
type Request struct {
	*protocol.Request
	Listener   string // name of the listener it came in by
	ClientHost string // the peer's address without port
	LocalHost  string // the address of ours that the peer reached, without port
	Received   time.Time
}

// Reply is what a handler answers. Exactly one holds: Response is set;
// Wait is set; Hangup is set; none is, and the client gets no answer (Produce,
// acks=0).
type Reply struct {
	Response kmsg.Response
	// Records are the record bytes of a Fetch response, by topic and partition of
	// Response. Whoever writes the response releases them.
	Records [][]replica.Slice
	// Wait finishes the request when data or a commit it waits for is there. Its
	// ctx ends when the client is gone or the broker stops; it then answers with
	// what there is.
	Wait func(ctx context.Context) Reply
	// Hangup closes the connection, after the earlier answers, for this reason.
	Hangup error
}

// API is one request type that this broker answers.
type API struct {
	Key int16
	// Min and Max are advertised in ApiVersions: the versions of Apache Kafka
	// 4.3.1.
	Min, Max int16
	// Served is the lowest version that is answered. Below it, though advertised,
	// the request is refused as an unsupported version (see 00_produce.go).
	Served int16
	Handle func(ctx context.Context, d *Deps, r *Request) Reply
}

// Table is every API that this broker answers, in the order of the keys: the
// only list of keys and versions there is. ApiVersions and the decoder's limits
// are derived from it.
func Table() []API {
	return []API{
		{Key: 0, Min: 0, Max: 13, Served: 3, Handle: produce},
		{Key: 1, Min: 4, Max: 18, Served: 4, Handle: fetch},
		{Key: 2, Min: 1, Max: 11, Served: 1, Handle: listOffsets},
		{Key: 3, Min: 0, Max: 13, Handle: metadata},
		{Key: 8, Min: 2, Max: 10, Served: 2, Handle: offsetCommit},
		{Key: 9, Min: 1, Max: 10, Served: 1, Handle: offsetFetch},
		{Key: 10, Min: 0, Max: 6, Handle: findCoordinator},
		{Key: 11, Min: 0, Max: 9, Handle: joinGroup},
		{Key: 12, Min: 0, Max: 4, Handle: heartbeat},
		{Key: 13, Min: 0, Max: 5, Handle: leaveGroup},
		{Key: 14, Min: 0, Max: 5, Handle: syncGroup},
		{Key: 15, Min: 0, Max: 6, Handle: describeGroups},
		{Key: 16, Min: 0, Max: 5, Handle: listGroups},
		{Key: 17, Min: 0, Max: 1, Handle: saslHandshake},
		{Key: 18, Min: 0, Max: 4, Handle: apiVersions},
		{Key: 19, Min: 2, Max: 7, Served: 2, Handle: createTopics},
		{Key: 20, Min: 1, Max: 6, Served: 1, Handle: deleteTopics},
		{Key: 21, Min: 0, Max: 2, Handle: deleteRecords},
		{Key: 22, Min: 0, Max: 5, Handle: initProducerID},
		{Key: 23, Min: 2, Max: 4, Served: 2, Handle: offsetForLeaderEpoch},
		{Key: 24, Min: 0, Max: 5, Handle: addPartitionsToTxn},
		{Key: 25, Min: 0, Max: 4, Handle: addOffsetsToTxn},
		{Key: 26, Min: 0, Max: 5, Handle: endTxn},
		{Key: 27, Min: 1, Max: 2, Served: 1, Handle: writeTxnMarkers},
		{Key: 28, Min: 0, Max: 5, Handle: txnOffsetCommit},
		{Key: 29, Min: 1, Max: 3, Served: 1, Handle: describeACLs},
		{Key: 30, Min: 1, Max: 3, Served: 1, Handle: createACLs},
		{Key: 31, Min: 1, Max: 3, Served: 1, Handle: deleteACLs},
		{Key: 32, Min: 1, Max: 4, Served: 1, Handle: describeConfigs},
		{Key: 33, Min: 0, Max: 2, Handle: alterConfigs},
		{Key: 34, Min: 1, Max: 2, Served: 1, Handle: alterReplicaLogDirs},
		{Key: 35, Min: 1, Max: 5, Served: 1, Handle: describeLogDirs},
		{Key: 36, Min: 0, Max: 2, Handle: saslAuthenticate},
		{Key: 37, Min: 0, Max: 3, Handle: createPartitions},
		{Key: 38, Min: 1, Max: 3, Served: 1, Handle: createDelegationToken},
		{Key: 39, Min: 1, Max: 2, Served: 1, Handle: renewDelegationToken},
		{Key: 40, Min: 1, Max: 2, Served: 1, Handle: expireDelegationToken},
		{Key: 41, Min: 1, Max: 3, Served: 1, Handle: describeDelegationToken},
		{Key: 42, Min: 0, Max: 2, Handle: deleteGroups},
		{Key: 43, Min: 0, Max: 2, Handle: electLeaders},
		{Key: 44, Min: 0, Max: 1, Handle: incrementalAlterConfigs},
		{Key: 45, Min: 0, Max: 1, Handle: alterPartitionReassignments},
		{Key: 46, Min: 0, Max: 0, Handle: listPartitionReassignments},
		{Key: 47, Min: 0, Max: 0, Handle: offsetDelete},
		{Key: 48, Min: 0, Max: 1, Handle: describeClientQuotas},
		{Key: 49, Min: 0, Max: 1, Handle: alterClientQuotas},
		{Key: 50, Min: 0, Max: 0, Handle: describeUserSCRAMCredentials},
		{Key: 51, Min: 0, Max: 0, Handle: alterUserSCRAMCredentials},
		{Key: 55, Min: 0, Max: 2, Handle: describeQuorum},
		{Key: 57, Min: 0, Max: 2, Handle: updateFeatures},
		{Key: 60, Min: 0, Max: 2, Handle: describeCluster},
		{Key: 61, Min: 0, Max: 0, Handle: describeProducers},
		{Key: 64, Min: 0, Max: 0, Handle: unregisterBroker},
		{Key: 65, Min: 0, Max: 0, Handle: describeTransactions},
		{Key: 66, Min: 0, Max: 2, Handle: listTransactions},
		{Key: 74, Min: 0, Max: 1, Handle: listConfigResources},
		{Key: 75, Min: 0, Max: 0, Handle: describeTopicPartitions},
		{Key: 80, Min: 0, Max: 1, Handle: addRaftVoter},
		{Key: 81, Min: 0, Max: 0, Handle: removeRaftVoter},
	}
}

// Index looks an API up by its key. The zero value knows none.
type Index struct{ byKey []*API }

// NewIndex returns an index of the table.
func NewIndex(table []API) Index {
	var x Index
	for i := range table {
		for len(x.byKey) <= int(table[i].Key) {
			x.byKey = append(x.byKey, nil)
		}
		x.byKey[table[i].Key] = &table[i]
	}
	return x
}

// Lookup answers the API of that key, or nil.
func (x Index) Lookup(key int16) *API {
	if key < 0 || int(key) >= len(x.byKey) {
		return nil
	}
	return x.byKey[key]
}

// Served is protocol.Versions for this index: the range the decoder accepts.
func (x Index) Served(key int16) (lowest, highest int16, ok bool) {
	a := x.Lookup(key)
	if a == nil {
		return 0, 0, false
	}
	return a.Served, a.Max, true
}

// answer is the Reply of a handler that is done.
func answer(m kmsg.Response) Reply { return Reply{Response: m} }
