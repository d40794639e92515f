package controller

import "testing"

func TestQuorum(t *testing.T) {
	c := start(t, NewMemStore(), Options{NodeID: 4})
	before := c.Quorum()
	if _, err := c.RegisterBroker(testContext(t), Broker{ID: 4}); err != nil {
		t.Fatal(err)
	}
	q := c.Quorum()
	if q.Leader != 4 || q.LeaderEpoch < 1 || q.HighWatermark <= before.HighWatermark || len(q.Voters) != 1 || q.Voters[0] != (QuorumVoter{4, q.HighWatermark}) {
		t.Errorf("%+v after %+v", q, before)
	}
}
