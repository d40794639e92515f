package clients

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// franzAdmin are the cases of kadm, nearly all of what it can ask of a broker.
func franzAdmin(t *testing.T, c franz) {
	for name, f := range map[string]func(*testing.T, franz, *kadm.Client){
		"admin_cluster":           kadmCluster,
		"admin_topics":            kadmTopics,
		"admin_partitions":        kadmPartitions,
		"admin_configs":           kadmConfigs,
		"admin_broker_configs":    kadmBrokerConfigs,
		"admin_list_offsets":      kadmListOffsets,
		"admin_delete_records":    kadmDeleteRecords,
		"admin_groups":            kadmGroups,
		"admin_group_offsets":     kadmGroupOffsets,
		"admin_remove_members":    kadmRemoveMembers,
		"admin_log_dirs":          kadmLogDirs,
		"admin_producers":         kadmProducers,
		"admin_transactions":      kadmTransactions,
		"admin_acls":              kadmACLs,
		"admin_quotas":            kadmQuotas,
		"admin_scram":             kadmSCRAM,
		"admin_delegation_tokens": kadmDelegationTokens,
		"admin_features":          kadmFeatures,
		"admin_reassignments":     kadmReassignments,
		"admin_elect_leaders":     kadmElectLeaders,
	} {
		run(t, name, func(t *testing.T) { f(t, c, c.admin(t)) })
	}
}

// is fails unless err is the Kafka error.
func is(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

func kadmCluster(t *testing.T, _ franz, adm *kadm.Client) {
	meta, err := adm.BrokerMetadata(within(t))
	must(t, err)
	if meta.Cluster == "" || meta.Controller < 0 || len(meta.Brokers) != 1 || meta.Brokers[0].NodeID != meta.Controller {
		t.Errorf("cluster %q, controller %d, brokers %v", meta.Cluster, meta.Controller, meta.Brokers)
	}
	versions, err := adm.ApiVersions(within(t))
	must(t, err)
	for node, v := range versions {
		must(t, v.Err)
		if guess := v.VersionGuess(); strings.Contains(guess, "unknown") || strings.Contains(guess, "custom") {
			t.Logf("node %d looks like %s", node, guess)
		}
		// What every consumer and producer of the last ten years needs.
		for _, key := range []int16{0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 19, 20, 22, 32, 44} {
			if _, ok := v.KeyMaxVersion(key); !ok {
				t.Errorf("no key %d", key)
			}
		}
	}
}

func kadmTopics(t *testing.T, _ franz, adm *kadm.Client) {
	topic := fresh(t)
	validated, err := adm.ValidateCreateTopics(within(t), 3, 1, nil, topic)
	must(t, err)
	is(t, "validate", validated[topic].Err, nil)
	created, err := adm.CreateTopic(within(t), 3, 1, map[string]*string{"retention.ms": kadm.StringPtr("3600000")}, topic)
	must(t, err)
	if created.ID == (kadm.TopicID{}) || created.NumPartitions != 3 || created.ReplicationFactor != 1 {
		t.Errorf("created %+v", created)
	}
	retention := created.Configs["retention.ms"]
	equal(t, "retention.ms", retention.MaybeValue(), "3600000")
	for what, want := range map[string]struct {
		partitions int32
		replicas   int16
		configs    map[string]*string
		topic      string
		err        error
	}{
		"again":                 {3, 1, nil, topic, kerr.TopicAlreadyExists},
		"no partitions":         {0, 1, nil, topic + "-0", kerr.InvalidPartitions},
		"too many replicas":     {1, 3, nil, topic + "-3", kerr.InvalidReplicationFactor},
		"name":                  {1, 1, nil, "not/a/topic", kerr.InvalidTopicException},
		"colliding name":        {1, 1, nil, "a.b_c" + topic, nil},
		"unknown configuration": {1, 1, map[string]*string{"no.such": kadm.StringPtr("1")}, topic + "-c", kerr.InvalidConfig},
		"bad configuration":     {1, 1, map[string]*string{"retention.ms": kadm.StringPtr("soon")}, topic + "-r", kerr.InvalidConfig},
	} {
		rs, err := adm.CreateTopics(within(t), want.partitions, want.replicas, want.configs, want.topic)
		must(t, err)
		is(t, what, rs[want.topic].Err, want.err)
	}
	collides, err := adm.CreateTopics(within(t), 1, 1, nil, "a_b_c"+topic)
	must(t, err)
	is(t, "a name that differs in . and _ only", collides["a_b_c"+topic].Err, kerr.InvalidTopicException)

	listed, err := adm.ListTopics(within(t))
	must(t, err)
	detail := listed[topic]
	equal(t, "partitions", len(detail.Partitions), 3)
	equal(t, "id", detail.ID, created.ID)
	for _, p := range detail.Partitions {
		if p.Leader < 0 || len(p.Replicas) != 1 || !slices.Equal(p.ISR, p.Replicas) || len(p.OfflineReplicas) != 0 {
			t.Errorf("partition %+v", p)
		}
	}
	deleted, err := adm.DeleteTopics(within(t), topic, topic+"-no-such")
	must(t, err)
	is(t, "delete", deleted[topic].Err, nil)
	is(t, "delete what is not there", deleted[topic+"-no-such"].Err, kerr.UnknownTopicOrPartition)
	until(t, "the topic is gone", func() bool {
		listed, err := adm.ListTopics(within(t), topic)
		return err == nil && errors.Is(listed[topic].Err, kerr.UnknownTopicOrPartition)
	})
}

func kadmPartitions(t *testing.T, c franz, adm *kadm.Client) {
	topic := fresh(t)
	c.createTopic(t, topic, 2)
	validated, err := adm.ValidateCreatePartitions(within(t), 1, topic)
	must(t, err)
	is(t, "validate", validated[topic].Err, nil)
	more, err := adm.CreatePartitions(within(t), 1, topic)
	must(t, err)
	is(t, "one more", more[topic].Err, nil)
	until(t, "three partitions", func() bool {
		listed, err := adm.ListTopics(within(t), topic)
		return err == nil && len(listed[topic].Partitions) == 3
	})
	for to, want := range map[int]error{2: kerr.InvalidPartitions, 3: kerr.InvalidPartitions} {
		rs, err := adm.UpdatePartitions(within(t), to, topic)
		must(t, err)
		is(t, "not more partitions than there are", rs[topic].Err, want)
	}
	must(t, c.produce(t, topic, writing{}, record{partition: 2, value: []byte("new")}))
}

// described returns one configuration of a topic or broker.
func described(t *testing.T, rs kadm.ResourceConfigs, key string) kadm.Config {
	t.Helper()
	must(t, rs[0].Err)
	for _, c := range rs[0].Configs {
		if c.Key == key {
			return c
		}
	}
	t.Fatalf("no configuration %s", key)
	return kadm.Config{}
}

func kadmConfigs(t *testing.T, c franz, adm *kadm.Client) {
	topic := fresh(t)
	c.createTopic(t, topic, 1)
	shows := func(key, value string, source kmsg.ConfigSource) {
		t.Helper()
		until(t, key+"="+value, func() bool {
			rs, err := adm.DescribeTopicConfigs(within(t), topic)
			must(t, err)
			c := described(t, rs, key)
			return c.MaybeValue() == value && c.Source == source
		})
	}
	shows("retention.ms", "604800000", kmsg.ConfigSourceDefaultConfig)
	alter := func(op kadm.IncrementalOp, key string, value string) error {
		t.Helper()
		a := kadm.AlterConfig{Op: op, Name: key}
		if op != kadm.DeleteConfig {
			a.Value = &value
		}
		rs, err := adm.AlterTopicConfigs(within(t), []kadm.AlterConfig{a}, topic)
		must(t, err)
		return rs[0].Err
	}
	must(t, alter(kadm.SetConfig, "retention.ms", "60000"))
	shows("retention.ms", "60000", kmsg.ConfigSourceDynamicTopicConfig)
	must(t, alter(kadm.SetConfig, "max.message.bytes", "100000"))
	shows("max.message.bytes", "100000", kmsg.ConfigSourceDynamicTopicConfig)
	until(t, "max.message.bytes has effect", func() bool {
		return errors.Is(c.produce(t, topic, writing{}, record{value: make([]byte, 200_000)}), kerr.MessageTooLarge)
	})
	must(t, alter(kadm.AppendConfig, "cleanup.policy", "compact"))
	shows("cleanup.policy", "delete,compact", kmsg.ConfigSourceDynamicTopicConfig)
	must(t, alter(kadm.SubtractConfig, "cleanup.policy", "compact"))
	shows("cleanup.policy", "delete", kmsg.ConfigSourceDynamicTopicConfig)
	must(t, alter(kadm.DeleteConfig, "retention.ms", ""))
	shows("retention.ms", "604800000", kmsg.ConfigSourceDefaultConfig)
	is(t, "no such key", alter(kadm.SetConfig, "no.such", "1"), kerr.InvalidConfig)
	is(t, "no number", alter(kadm.SetConfig, "retention.ms", "soon"), kerr.InvalidConfig)
	is(t, "no list", alter(kadm.AppendConfig, "retention.ms", "1"), kerr.InvalidConfig)

	one := []kadm.AlterConfig{{Name: "segment.ms", Value: kadm.StringPtr("7200000")}}
	validated, err := adm.ValidateAlterTopicConfigsState(within(t), one, topic)
	must(t, err)
	is(t, "validate", validated[0].Err, nil)
	shows("max.message.bytes", "100000", kmsg.ConfigSourceDynamicTopicConfig)
	state, err := adm.AlterTopicConfigsState(within(t), one, topic)
	must(t, err)
	is(t, "state", state[0].Err, nil)
	shows("segment.ms", "7200000", kmsg.ConfigSourceDynamicTopicConfig)
	shows("max.message.bytes", "1048588", kmsg.ConfigSourceDefaultConfig)
	unknown, err := adm.DescribeTopicConfigs(within(t), topic+"-no-such")
	must(t, err)
	is(t, "unknown topic", unknown[0].Err, kerr.UnknownTopicOrPartition)
}

func kadmBrokerConfigs(t *testing.T, _ franz, adm *kadm.Client) {
	brokers, err := adm.ListBrokers(within(t))
	must(t, err)
	id := brokers[0].NodeID
	rs, err := adm.DescribeBrokerConfigs(within(t), id)
	must(t, err)
	nodeID := described(t, rs, "node.id")
	if nodeID.Source != kmsg.ConfigSourceStaticBrokerConfig && nodeID.Source != kmsg.ConfigSourceDefaultConfig {
		t.Errorf("node.id is from %v", nodeID.Source)
	}
	for _, key := range []string{"num.partitions", "log.retention.hours", "message.max.bytes", "advertised.listeners", "auto.create.topics.enable"} {
		described(t, rs, key)
	}
	validated, err := adm.ValidateAlterBrokerConfigs(within(t), []kadm.AlterConfig{{Name: "log.cleaner.threads", Value: kadm.StringPtr("2")}}, id)
	must(t, err)
	is(t, "validate a dynamic one", validated[0].Err, nil)
	refused, err := adm.ValidateAlterBrokerConfigs(within(t), []kadm.AlterConfig{{Name: "node.id", Value: kadm.StringPtr("7")}}, id)
	must(t, err)
	is(t, "alter what is not dynamic", refused[0].Err, kerr.InvalidRequest)
	resources, err := adm.ListConfigResources(within(t))
	must(t, err)
	must(t, resources.Err)
}

func kadmListOffsets(t *testing.T, c franz, adm *kadm.Client) {
	topic := fresh(t)
	c.createTopic(t, topic, 1)
	at := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	records := numbered(10)
	for i := range records {
		records[i].time = at.Add(time.Duration(i) * time.Second)
	}
	records[4].time = at.Add(time.Minute) // the youngest is not the last
	must(t, c.produce(t, topic, writing{}, records...))
	offset := func(o kadm.ListedOffsets, err error) int64 {
		t.Helper()
		must(t, err)
		must(t, o.Error())
		found, ok := o.Lookup(topic, 0)
		equal(t, "listed", ok, true)
		return found.Offset
	}
	equal(t, "start", offset(adm.ListStartOffsets(within(t), topic)), 0)
	equal(t, "end", offset(adm.ListEndOffsets(within(t), topic)), 10)
	equal(t, "committed", offset(adm.ListCommittedOffsets(within(t), topic)), 10)
	equal(t, "local start", offset(adm.ListLocalLogStartOffsets(within(t), topic)), 0)
	equal(t, "youngest", offset(adm.ListMaxTimestampOffsets(within(t), topic)), 4)
	equal(t, "after", offset(adm.ListOffsetsAfterMilli(within(t), at.UnixMilli()+2000, topic)), 2)
	equal(t, "after all", offset(adm.ListOffsetsAfterMilli(within(t), at.UnixMilli()+60001, topic)), 10)

	var epochs kadm.OffsetForLeaderEpochRequest
	epochs.Add(topic, 0, 0)
	ends, err := adm.OffsetForLeaderEpoch(within(t), epochs)
	must(t, err)
	end := ends[topic][0]
	must(t, end.Err)
	equal(t, "end of epoch 0", end.EndOffset, 10)
}

func kadmDeleteRecords(t *testing.T, c franz, adm *kadm.Client) {
	topic := written(t, c, writing{}, numbered(10)...)
	remove := func(before int64) kadm.DeleteRecordsResponse {
		t.Helper()
		var os kadm.Offsets
		os.AddOffset(topic, 0, before, -1)
		rs, err := adm.DeleteRecords(within(t), os)
		must(t, err)
		return rs[topic][0]
	}
	r := remove(4)
	is(t, "before 4", r.Err, nil)
	equal(t, "low watermark", r.LowWatermark, 4)
	is(t, "before 11 of 10", remove(11).Err, kerr.OffsetOutOfRange)
	start, err := adm.ListStartOffsets(within(t), topic)
	must(t, err)
	equal(t, "start", start[topic][0].Offset, 4)
	reading := c.read(t, topic, 0, 4)
	same(t, take(t, reading, 6), numbered(10)[4:], 4)
	r = remove(-1) // all there is
	is(t, "all", r.Err, nil)
	equal(t, "low watermark", r.LowWatermark, 10)
}

func kadmGroups(t *testing.T, c franz, adm *kadm.Client) {
	topic, group := written(t, c, writing{}, numbered(3)...), fresh(t)
	m := c.joinWith(t, group, topic, kgo.ClientID("the-client"), kgo.Balancers(kgo.RangeBalancer()))
	m.commit(t, receive(t, "a record", m.records()))
	state := func() string {
		t.Helper()
		listed, err := adm.ListGroups(within(t))
		must(t, err)
		return listed[group].State
	}
	equal(t, "state", state(), "Stable")
	stable, err := adm.ListGroups(within(t), "Stable")
	must(t, err)
	empty, err := adm.ListGroups(within(t), "Empty")
	must(t, err)
	if _, ok := stable[group]; !ok || stable[group].ProtocolType != "consumer" {
		t.Errorf("not among the stable groups: %v", stable[group])
	}
	if _, ok := empty[group]; ok {
		t.Error("among the empty groups")
	}
	classic, err := adm.ListGroupsByType(within(t), []string{"classic"})
	must(t, err)
	if _, ok := classic[group]; !ok {
		t.Error("not among the classic groups")
	}
	described, err := adm.DescribeGroups(within(t), group, group+"-no-such")
	must(t, err)
	d := described[group]
	must(t, d.Err)
	if d.State != "Stable" || d.ProtocolType != "consumer" || d.Protocol != "range" || len(d.Members) != 1 {
		t.Fatalf("described %+v", d)
	}
	member := d.Members[0]
	if member.ClientID != "the-client" || !strings.HasPrefix(member.MemberID, "the-client-") || member.ClientHost != "/127.0.0.1" {
		t.Errorf("member %q of client %q at %q", member.MemberID, member.ClientID, member.ClientHost)
	}
	if assigned := d.AssignedPartitions(); !assigned.Lookup(topic, 0) {
		t.Errorf("assigned %v", assigned)
	}
	is(t, "describe what is not there", described[group+"-no-such"].Err, kerr.GroupIDNotFound)
	lag, err := adm.Lag(within(t), group)
	must(t, err)
	must(t, lag.Error())
	equal(t, "lag", lag[group].Lag.Total(), 2)

	_, err = adm.DeleteGroup(within(t), group)
	is(t, "delete with a member", err, kerr.NonEmptyGroup)
	m.leave(t)
	until(t, "the group is empty", func() bool { return state() == "Empty" })
	_, err = adm.DeleteGroup(within(t), group)
	is(t, "delete", err, nil)
	_, err = adm.DeleteGroup(within(t), group)
	is(t, "delete again", err, kerr.GroupIDNotFound)
	equal(t, "state of a deleted group", state(), "")
}

func kadmGroupOffsets(t *testing.T, c franz, adm *kadm.Client) {
	topic, group := fresh(t), fresh(t)
	c.createTopic(t, topic, 2)
	none, err := adm.FetchOffsets(within(t), group)
	must(t, err)
	equal(t, "offsets of a group that is not there", len(none), 0)
	var os kadm.Offsets
	os.Add(kadm.Offset{Topic: topic, Partition: 0, At: 5, LeaderEpoch: -1, Metadata: "by hand"})
	os.AddOffset(topic, 1, 7, -1)
	must(t, adm.CommitAllOffsets(within(t), group, os))
	fetched, err := adm.FetchOffsets(within(t), group)
	must(t, err)
	first, _ := fetched.Lookup(topic, 0)
	equal(t, "offset", first.At, 5)
	equal(t, "metadata", first.Metadata, "by hand")
	second, _ := fetched.Lookup(topic, 1)
	equal(t, "offset", second.At, 7)
	many := adm.FetchManyOffsets(within(t), group, group+"-no-such")
	equal(t, "groups", len(many), 2)
	must(t, many.Error())

	var unknown kadm.Offsets
	unknown.AddOffset(topic+"-no-such", 0, 1, -1)
	committed, err := adm.CommitOffsets(within(t), group, unknown)
	must(t, err)
	is(t, "commit for no topic", committed[topic+"-no-such"][0].Err, kerr.UnknownTopicOrPartition)
	var large kadm.Offsets
	large.Add(kadm.Offset{Topic: topic, Partition: 0, At: 6, LeaderEpoch: -1, Metadata: strings.Repeat("x", 4097)})
	committed, err = adm.CommitOffsets(within(t), group, large)
	must(t, err)
	is(t, "large metadata", committed[topic][0].Err, kerr.OffsetMetadataTooLarge)

	var gone kadm.TopicsSet
	gone.Add(topic, 1)
	deleted, err := adm.DeleteOffsets(within(t), group, gone)
	must(t, err)
	must(t, deleted.Error())
	fetched, err = adm.FetchOffsets(within(t), group)
	must(t, err)
	if _, ok := fetched.Lookup(topic, 1); ok {
		t.Error("the deleted offset is still there")
	}
	// Who reads the topic keeps its offsets.
	must(t, c.produce(t, topic, writing{}, numbered(1)...))
	m := c.joinWith(t, group, topic, kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	until(t, "the member is there", func() bool {
		described, err := adm.DescribeGroups(within(t), group)
		return err == nil && described[group].State == "Stable"
	})
	gone = nil
	gone.Add(topic, 0)
	deleted, err = adm.DeleteOffsets(within(t), group, gone)
	must(t, err)
	is(t, "delete what is subscribed to", deleted[topic][0], kerr.GroupSubscribedToTopic)
	m.leave(t)
}

func kadmRemoveMembers(t *testing.T, c franz, adm *kadm.Client) {
	topic, group := written(t, c, writing{}, numbered(1)...), fresh(t)
	m := c.joinWith(t, group, topic, kgo.InstanceID("one"))
	receive(t, "a record", m.records())
	m.leave(t) // a static member does not leave: its place is kept
	described, err := adm.DescribeGroups(within(t), group)
	must(t, err)
	members := described[group].Members
	if len(members) != 1 || members[0].InstanceID == nil || *members[0].InstanceID != "one" {
		t.Fatalf("members %+v", members)
	}
	left, err := adm.LeaveGroup(within(t), kadm.LeaveGroup(group).InstanceIDs("one", "no-such").Reason("removed by hand"))
	must(t, err)
	is(t, "remove", left["one"].Err, nil)
	is(t, "remove who is not there", left["no-such"].Err, kerr.UnknownMemberID)
	described, err = adm.DescribeGroups(within(t), group)
	must(t, err)
	equal(t, "state", described[group].State, "Empty")
}

func kadmLogDirs(t *testing.T, c franz, adm *kadm.Client) {
	topic := written(t, c, writing{}, numbered(10)...)
	var set kadm.TopicsSet
	set.Add(topic, 0)
	all, err := adm.DescribeAllLogDirs(within(t), set)
	must(t, err)
	found := 0
	all.Each(func(d kadm.DescribedLogDir) {
		must(t, d.Err)
		if d.TotalBytes <= 0 || d.UsableBytes <= 0 || d.UsableBytes > d.TotalBytes {
			t.Errorf("%s has %d bytes, %d usable", d.Dir, d.TotalBytes, d.UsableBytes)
		}
		if p, ok := d.Topics.Lookup(topic, 0); ok {
			found++
			if p.Size <= 0 || p.OffsetLag != 0 || p.IsFuture {
				t.Errorf("%+v", p)
			}
		}
	})
	equal(t, "directories with the partition", found, 1)
	var alter kadm.AlterReplicaLogDirsReq
	alter.Add("/no/such/directory", set)
	altered, err := adm.AlterAllReplicaLogDirs(within(t), alter)
	must(t, err)
	n := 0
	altered.Each(func(r kadm.AlterReplicaLogDirsResponse) {
		n++
		is(t, "move to no directory", r.Err, kerr.LogDirNotFound)
	})
	equal(t, "moves answered", n, 1)
}

func kadmProducers(t *testing.T, c franz, adm *kadm.Client) {
	topic := written(t, c, writing{idempotent: true}, numbered(10)...)
	var set kadm.TopicsSet
	set.Add(topic, 0)
	rs, err := adm.DescribeProducers(within(t), set)
	must(t, err)
	p := rs[topic].Partitions[0]
	must(t, p.Err)
	equal(t, "producers", len(p.ActiveProducers), 1)
	for id, one := range p.ActiveProducers {
		if id < 0 || one.ProducerEpoch != 0 || one.LastSequence != 9 || one.CurrentTxnStartOffset != -1 {
			t.Errorf("%+v", one)
		}
	}
}

// Without an authorizer: MirrorMaker 2, for one, counts on this answer.
func kadmACLs(t *testing.T, _ franz, adm *kadm.Client) {
	some := kadm.NewACLs().Allow("User:alice").AllowHosts("*").Topics("t").Operations(kadm.OpRead).ResourcePatternType(kadm.ACLPatternLiteral)
	described, err := adm.DescribeACLs(within(t), some)
	must(t, err)
	for _, r := range described {
		is(t, "describe", r.Err, kerr.SecurityDisabled)
	}
	created, err := adm.CreateACLs(within(t), some)
	must(t, err)
	for _, r := range created {
		is(t, "create", r.Err, kerr.SecurityDisabled)
	}
	deleted, err := adm.DeleteACLs(within(t), some)
	must(t, err)
	for _, r := range deleted {
		is(t, "delete", r.Err, kerr.SecurityDisabled)
	}
	equal(t, "answers", len(described)+len(created)+len(deleted), 3)
}

func kadmQuotas(t *testing.T, _ franz, adm *kadm.Client) {
	quotas, err := adm.DescribeClientQuotas(within(t), true, []kadm.DescribeClientQuotaComponent{
		{Type: "user", MatchType: kmsg.QuotasMatchTypeExact, MatchName: kadm.StringPtr("nobody-" + fresh(t))},
	})
	must(t, err)
	equal(t, "quotas", len(quotas), 0)
}

func kadmSCRAM(t *testing.T, _ franz, adm *kadm.Client) {
	nobody := fresh(t)
	users, err := adm.DescribeUserSCRAMs(within(t), nobody)
	must(t, err)
	is(t, "describe", users[nobody].Err, kerr.ResourceNotFound)
}

func kadmDelegationTokens(t *testing.T, _ franz, adm *kadm.Client) {
	_, err := adm.DescribeDelegationTokens(within(t))
	is(t, "describe over a connection without authentication", err, kerr.DelegationTokenRequestNotAllowed)
}

func kadmFeatures(t *testing.T, _ franz, adm *kadm.Client) {
	versions, err := adm.ApiVersions(within(t))
	must(t, err)
	for _, v := range versions {
		final := map[string]int16{}
		for _, f := range v.Raw().FinalizedFeatures {
			final[f.Name] = f.MaxVersionLevel
		}
		if final["metadata.version"] == 0 || v.Raw().FinalizedFeaturesEpoch < 0 {
			t.Errorf("finalized features %v, epoch %d", final, v.Raw().FinalizedFeaturesEpoch)
		}
	}
	updated, err := adm.UpdateFeatures(within(t), true, kadm.FeatureUpdate{Feature: "no.such.feature", MaxVersionLevel: 1, UpgradeType: 1})
	if err == nil {
		err = updated.Error()
	}
	is(t, "update no feature", err, kerr.InvalidUpdateVersion)
}

func kadmReassignments(t *testing.T, c franz, adm *kadm.Client) {
	topic := written(t, c, writing{}, numbered(1)...)
	var set kadm.TopicsSet
	set.Add(topic, 0)
	listed, err := adm.ListPartitionReassignments(within(t), set)
	must(t, err)
	equal(t, "reassignments", len(listed.Sorted()), 0)
	brokers, err := adm.ListBrokers(within(t))
	must(t, err)
	self := brokers[0].NodeID
	for what, want := range map[string]struct {
		to  []int32 // nil cancels
		err error
	}{
		"cancel":       {nil, kerr.NoReassignmentInProgress},
		"to itself":    {[]int32{self}, nil},
		"to no broker": {[]int32{self + 1000}, kerr.InvalidReplicaAssignment},
		"twice":        {[]int32{self, self}, kerr.InvalidReplicaAssignment},
	} {
		var req kadm.AlterPartitionAssignmentsReq
		if want.to == nil {
			req.CancelAssign(topic, 0)
		} else {
			req.Assign(topic, 0, want.to)
		}
		rs, err := adm.AlterPartitionAssignments(within(t), req)
		must(t, err)
		is(t, what, rs[topic][0].Err, want.err)
	}
}

func kadmElectLeaders(t *testing.T, c franz, adm *kadm.Client) {
	topic := written(t, c, writing{}, numbered(1)...)
	var set kadm.TopicsSet
	set.Add(topic, 0)
	set.Add(topic+"-no-such", 0)
	for _, how := range []kadm.ElectLeadersHow{kadm.ElectPreferredReplica, kadm.ElectLiveReplica} {
		elected, err := adm.ElectLeaders(within(t), how, set)
		must(t, err)
		is(t, "elect", elected[topic][0].Err, kerr.ElectionNotNeeded)
		is(t, "elect for no topic", elected[topic+"-no-such"][0].Err, kerr.UnknownTopicOrPartition)
	}
}
