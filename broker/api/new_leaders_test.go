package api

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// TestNewLeaders: who produces to the wrong broker or fetches there, or with an
// old leader epoch, is told the right one (KIP-951), and where it is if that is
// known on the client's listener.
func TestNewLeaders(t *testing.T) {
	f := newFixture(t)
	topic := f.spread("t", []int32{2}, []int32{3}, []int32{1})
	if _, revision, err := f.Controller.ReelectLeaders(t.Context()); err != nil {
		t.Fatal(err)
	} else if err := f.Partitions.Await(t.Context(), revision); err != nil {
		t.Fatal(err)
	}
	const notLeader, nobody = "NOT_LEADER_FOR_PARTITION", "leader -1 in -1, brokers []"
	for _, tc := range []struct {
		partition, epoch int32
		err              string
		want             string
	}{
		{0, -1, notLeader, "leader 2 in 0, brokers [2 there:9092 rack-2]"},
		{1, -1, notLeader, "leader 3 in 0, brokers []"}, // not on the client's listener
		{2, 0, "FENCED_LEADER_EPOCH", "leader 1 in 1, brokers [1 here:9092 null]"},
		{2, 9, "UNKNOWN_LEADER_EPOCH", nobody},
		{3, -1, "UNKNOWN_TOPIC_OR_PARTITION", nobody},
	} {
		f.versions(kmsg.NewPtrFetchRequest(), func(version int16) {
			if tc.epoch >= 0 && version < 9 {
				return
			}
			req := fetchOf("t", topic.ID, version, 0)
			p := &req.Topics[0].Partitions[0]
			p.Partition, p.CurrentLeaderEpoch = tc.partition, tc.epoch
			out := ask[*kmsg.FetchResponse](f, req)
			got := out.Topics[0].Partitions[0]
			want := tc.want
			if version < 16 {
				want = nobody
			}
			var brokers []kmsg.ProduceResponseBroker
			for _, b := range out.Brokers {
				brokers = append(brokers, kmsg.ProduceResponseBroker(b))
			}
			what := fmt.Sprintf("Fetch %d of partition %d, epoch %d", version, tc.partition, tc.epoch)
			equal(t, what, kerr.TypedErrorForCode(got.ErrorCode).Message, tc.err)
			equal(t, what, toldLeader(got.CurrentLeader.LeaderID, got.CurrentLeader.LeaderEpoch, brokers), want)
		})
		if tc.err != notLeader {
			continue
		}
		f.versions(kmsg.NewPtrProduceRequest(), func(version int16) {
			req := produceTo("t", topic.ID, version, 1, threeRecords().Build())
			req.Topics[0].Partitions[0].Partition = tc.partition
			out := ask[*kmsg.ProduceResponse](f, req)
			got := out.Topics[0].Partitions[0]
			want := tc.want
			if version < 10 {
				want = nobody
			}
			what := fmt.Sprintf("Produce %d to partition %d", version, tc.partition)
			equal(t, what, kerr.TypedErrorForCode(got.ErrorCode).Message, tc.err)
			equal(t, what, toldLeader(got.CurrentLeader.LeaderID, got.CurrentLeader.LeaderEpoch, out.Brokers), want)
		})
	}
}

func toldLeader(leader, epoch int32, brokers []kmsg.ProduceResponseBroker) string {
	at := []string{}
	for _, b := range brokers {
		at = append(at, fmt.Sprintf("%d %s:%d %s", b.NodeID, b.Host, b.Port, text(b.Rack)))
	}
	return fmt.Sprintf("leader %d in %d, brokers %v", leader, epoch, at)
}

// An address is told once, however many partitions its broker leads.
func TestNewLeadersNameABrokerOnce(t *testing.T) {
	f := newFixture(t)
	f.spread("t", []int32{2}, []int32{2})
	req := produceTo("t", [16]byte{}, 10, 1, threeRecords().Build())
	second := req.Topics[0].Partitions[0]
	second.Partition = 1
	req.Topics[0].Partitions = append(req.Topics[0].Partitions, second)
	if got := ask[*kmsg.ProduceResponse](f, req).Brokers; len(got) != 1 {
		t.Errorf("brokers %+v", got)
	}
}
