package api

import (
	"fmt"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/protocol"
)

func findCoordinatorRequest(version int16, kind int8, keys ...string) *kmsg.FindCoordinatorRequest {
	r := kmsg.NewPtrFindCoordinatorRequest()
	r.Version, r.CoordinatorType, r.CoordinatorKeys = version, kind, keys
	if len(keys) > 0 {
		r.CoordinatorKey = keys[0]
	}
	return r
}

const malformed = "This most likely occurs because of a request being malformed by the client library or the message was sent to an incompatible broker. See the broker logs for more details."

func TestFindCoordinator(t *testing.T) {
	f := newFixture(t)
	f.versions(kmsg.NewPtrFindCoordinatorRequest(), func(v int16) {
		for _, c := range []struct {
			kind int8
			key  string
			ok   bool
		}{
			{groupCoordinator, "g", true}, {groupCoordinator, "", true},
			{transactionCoordinator, "t", v >= 1}, {transactionCoordinator, "", v >= 1},
			{2, "g:AAAAAAAAAAAAAAAAAAAAAQ:0", false}, {3, "g", false}, {-1, "g", false},
		} {
			ok := c.ok || v == 0 // version 0 knows groups only
			got := ask[*kmsg.FindCoordinatorResponse](f, findCoordinatorRequest(v, c.kind, c.key))
			what := fmt.Sprintf("version %d, type %d, key %q", v, c.kind, c.key)
			switch {
			case v >= 4 && ok:
				equal(t, what, fmt.Sprintf("%q %d %s %d %d %s", got.Coordinators[0].Key, got.Coordinators[0].NodeID, got.Coordinators[0].Host,
					got.Coordinators[0].Port, got.Coordinators[0].ErrorCode, text(got.Coordinators[0].ErrorMessage)), fmt.Sprintf("%q 1 here 9092 0 ", c.key))
			case v >= 4:
				why := ""
				if c.kind != shareCoordinator {
					why = malformed
				}
				equal(t, what, fmt.Sprintf("%q %d %s %d %d %s", got.Coordinators[0].Key, got.Coordinators[0].NodeID, got.Coordinators[0].Host,
					got.Coordinators[0].Port, got.Coordinators[0].ErrorCode, text(got.Coordinators[0].ErrorMessage)), fmt.Sprintf("%q -1  -1 42 %s", c.key, why))
			default:
				want := "1 here 9092 0 NONE"
				if !ok {
					want = "-1  -1 42 " + malformed
				}
				if v == 0 {
					want = "1 here 9092 0 null"
				}
				equal(t, what, fmt.Sprintf("%d %s %d %d %s", got.NodeID, got.Host, got.Port, got.ErrorCode, text(got.ErrorMessage)), want)
			}
		}
	})
}

// The internal topics do not exist before somebody asks for a coordinator, and
// are served when the answer is there.
func TestFindCoordinatorCreatesItsTopic(t *testing.T) {
	f := newFixture(t, "offsets.topic.num.partitions", "7", "transaction.state.log.num.partitions", "3")
	for kind, topic := range map[int8]struct {
		name       string
		partitions int32
	}{groupCoordinator: {groupMetadataTopic, 7}, transactionCoordinator: {transactionStateTopic, 3}} {
		if _, ok := f.Partitions.Image().Topic(topic.name); ok {
			t.Fatalf("%s exists already", topic.name)
		}
		got := ask[*kmsg.FindCoordinatorResponse](f, findCoordinatorRequest(4, kind, "x", "y", "x"))
		equal(t, "answers", len(got.Coordinators), 3)
		created, ok := f.Partitions.Image().Topic(topic.name)
		if !ok || !created.Internal {
			t.Fatalf("%s: exists %v, and is not internal", topic.name, ok)
		}
		equal(t, topic.name, int32(len(created.Partitions)), topic.partitions)
		equal(t, "cleanup policy", created.Configs["cleanup.policy"], "compact")
		for n := range topic.partitions {
			f.partition(topic.name, n)
		}
	}
}

// Clients that start together all get an answer, whoever creates the topic.
func TestFindCoordinatorAllAtOnce(t *testing.T) {
	f := newFixture(t)
	var asking sync.WaitGroup
	for n := range 20 {
		asking.Go(func() {
			in := findCoordinatorRequest(4, groupCoordinator, fmt.Sprint("g", n))
			reply := findCoordinator(t.Context(), f.Deps, &Request{
				Request:  &protocol.Request{Header: protocol.Header{Key: in.Key(), Version: in.Version}, Body: in},
				Listener: testListener,
			})
			if c := reply.Response.(*kmsg.FindCoordinatorResponse).Coordinators[0]; c.ErrorCode != 0 || c.NodeID != testNode {
				t.Errorf("%s: error %d, node %d", c.Key, c.ErrorCode, c.NodeID)
			}
		})
	}
	asking.Wait()
}

func TestCoordinatorPartition(t *testing.T) {
	for key, hash := range map[string]uint32{
		"":                    0,
		"g":                   103,
		"console-consumer-1":  0x221fe50,
		"polygenelubricants":  0x80000000, // Integer.MIN_VALUE: Math.abs would fail
		"ü":                   252,
		"\U0001F600":          1772899, // two code units
		"consumer-\U0001F600": 0xccf0269a,
	} {
		if got := javaHash(key); got != hash {
			t.Errorf("hash of %q is %#x, Java has %#x", key, got, hash)
		}
	}
	equal(t, "partition of Integer.MIN_VALUE", coordinatorPartition("polygenelubricants", 50), 0)
	// Apache Kafka 4.3.1 says so in DescribeTransactions, of offsets added to a transaction: the hash is negative.
	equal(t, "partition of -851179773", coordinatorPartition("another", 50), 23)
	for n := range 1000 {
		if p := coordinatorPartition(fmt.Sprint("group-", n), 50); p < 0 || p >= 50 {
			t.Fatalf("partition %d of 50", p)
		}
	}
}
