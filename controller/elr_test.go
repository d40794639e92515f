package controller

import (
	"maps"
	"testing"
)

// The cluster's default of min.insync.replicas is there from the start on, also in a store that an older version filled,
// beside what is there already; it is changed by request only, and never by a broker for itself (KIP-966).
func TestMinInsyncReplicasIsTheClusters(t *testing.T) {
	store := NewMemStore()
	old := start(t, store, Options{}, oneBroker)
	if got := old.Image().BrokerConfigs(""); got != nil {
		t.Fatalf("without the option: %v", got)
	}
	errs, _ := old.AlterConfigs(testContext(t), []ConfigChange{{Resource: defaults, Ops: []ConfigOp{set("a", "1")}}}, false)
	if errs[0] != nil {
		t.Fatal(errs[0])
	}
	old.Close()
	for _, replicas := range []int32{2, 3} { // the second start finds the first one's
		c := New(store, Options{NodeID: 1, MinInsyncReplicas: replicas})
		if err := c.Start(testContext(t)); err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if got, want := c.Image().BrokerConfigs(""), map[string]string{"a": "1", "min.insync.replicas": "2"}; !maps.Equal(got, want) {
			t.Errorf("started with %d: %v, want %v", replicas, got, want)
		}
	}
	c := New(store, Options{NodeID: 1, MinInsyncReplicas: 1})
	if err := c.Start(testContext(t)); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, tt := range []struct {
		name   string
		change ConfigChange
		err    string
		want   map[string]string
	}{
		{"changed", ConfigChange{Resource: defaults, Ops: []ConfigOp{set(minInsyncReplicas, "3")}}, "NONE", map[string]string{"a": "1", minInsyncReplicas: "3"}},
		{"removed", ConfigChange{Resource: defaults, Ops: []ConfigOp{{Kind: ConfigDelete, Key: minInsyncReplicas}}},
			"INVALID_CONFIG: Cluster-level min.insync.replicas cannot be removed while ELR is enabled.", map[string]string{"a": "1", minInsyncReplicas: "3"}},
		{"replaced without it", ConfigChange{Resource: defaults, Replace: true},
			"INVALID_CONFIG: Cluster-level min.insync.replicas cannot be removed while ELR is enabled.", map[string]string{"a": "1", minInsyncReplicas: "3"}},
		{"replaced", ConfigChange{Resource: defaults, Replace: true, Ops: []ConfigOp{set(minInsyncReplicas, "1")}}, "NONE", map[string]string{minInsyncReplicas: "1"}},
		{"a broker's", ConfigChange{Resource: broker1, Ops: []ConfigOp{set(minInsyncReplicas, "1")}},
			"INVALID_CONFIG: Broker-level min.insync.replicas cannot be altered while ELR is enabled.", map[string]string{minInsyncReplicas: "1"}},
		{"a broker's removed", ConfigChange{Resource: broker1, Ops: []ConfigOp{{Kind: ConfigDelete, Key: minInsyncReplicas}}},
			"INVALID_CONFIG: Broker-level min.insync.replicas cannot be altered while ELR is enabled.", map[string]string{minInsyncReplicas: "1"}},
		{"another of a broker", ConfigChange{Resource: broker1, Ops: []ConfigOp{set("b", "1")}}, "NONE", map[string]string{minInsyncReplicas: "1"}},
	} {
		errs, rev := c.AlterConfigs(testContext(t), []ConfigChange{tt.change}, false)
		if got := describe(errs[0]); got != tt.err {
			t.Errorf("%s: %s\nwant %s", tt.name, got, tt.err)
		}
		if got := await(t, c, rev).BrokerConfigs(""); !maps.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
