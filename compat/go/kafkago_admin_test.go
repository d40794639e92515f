package clients

import (
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"
)

func kafkaGoTopics(t *testing.T, c kafkaGo) {
	topic := fresh(t)
	cl := c.dial(t)
	create := func(config kafkago.TopicConfig) error {
		t.Helper()
		created, err := cl.CreateTopics(within(t), &kafkago.CreateTopicsRequest{Topics: []kafkago.TopicConfig{config}})
		must(t, err)
		return created.Errors[config.Topic]
	}
	good := kafkago.TopicConfig{
		Topic: topic, NumPartitions: 2, ReplicationFactor: 1,
		ConfigEntries: []kafkago.ConfigEntry{{ConfigName: "retention.ms", ConfigValue: "3600000"}},
	}
	is(t, "create", create(good), nil)
	is(t, "again", create(good), kafkago.TopicAlreadyExists)
	is(t, "replicas", create(kafkago.TopicConfig{Topic: topic + "-3", NumPartitions: 1, ReplicationFactor: 3}), kafkago.InvalidReplicationFactor)
	is(t, "name", create(kafkago.TopicConfig{Topic: "not/a/topic", NumPartitions: 1, ReplicationFactor: 1}), kafkago.InvalidTopic)
	grow := func(to int32) error {
		t.Helper()
		r, err := cl.CreatePartitions(within(t), &kafkago.CreatePartitionsRequest{Topics: []kafkago.TopicPartitionsConfig{{Name: topic, Count: to}}})
		must(t, err)
		return r.Errors[topic]
	}
	is(t, "four partitions", grow(4), nil)
	is(t, "fewer partitions", grow(3), kafkago.InvalidPartitionNumber)
	until(t, "four partitions", func() bool {
		meta, err := cl.Metadata(within(t), &kafkago.MetadataRequest{Topics: []string{topic}})
		return err == nil && len(meta.Topics) == 1 && len(meta.Topics[0].Partitions) == 4
	})
	remove := func() error {
		t.Helper()
		deleted, err := cl.DeleteTopics(within(t), &kafkago.DeleteTopicsRequest{Topics: []string{topic}})
		must(t, err)
		return deleted.Errors[topic]
	}
	is(t, "delete", remove(), nil)
	is(t, "delete again", remove(), kafkago.UnknownTopicOrPartition)
}

func kafkaGoConfigs(t *testing.T, c kafkaGo) {
	topic := fresh(t)
	c.createTopic(t, topic, 1)
	cl := c.dial(t)
	shows := func(key, value string) {
		t.Helper()
		until(t, key+"="+value, func() bool {
			described, err := cl.DescribeConfigs(within(t), &kafkago.DescribeConfigsRequest{
				Resources: []kafkago.DescribeConfigRequestResource{{ResourceType: kafkago.ResourceTypeTopic, ResourceName: topic, ConfigNames: []string{key}}},
			})
			must(t, err)
			must(t, described.Resources[0].Error)
			entry := described.Resources[0].ConfigEntries[0]
			return entry.ConfigName == key && entry.ConfigValue == value
		})
	}
	alter := func(value string) error {
		t.Helper()
		altered, err := cl.IncrementalAlterConfigs(within(t), &kafkago.IncrementalAlterConfigsRequest{
			Resources: []kafkago.IncrementalAlterConfigsRequestResource{{
				ResourceType: kafkago.ResourceTypeTopic, ResourceName: topic,
				Configs: []kafkago.IncrementalAlterConfigsRequestConfig{{Name: "retention.ms", Value: value, ConfigOperation: kafkago.ConfigOperationSet}},
			}},
		})
		must(t, err)
		return altered.Resources[0].Error
	}
	shows("retention.ms", "604800000")
	is(t, "set", alter("60000"), nil)
	shows("retention.ms", "60000")
	is(t, "no number", alter("soon"), kafkago.InvalidConfiguration)
	all, err := cl.AlterConfigs(within(t), &kafkago.AlterConfigsRequest{
		Resources: []kafkago.AlterConfigRequestResource{{
			ResourceType: kafkago.ResourceTypeTopic, ResourceName: topic,
			Configs: []kafkago.AlterConfigRequestConfig{{Name: "segment.ms", Value: "7200000"}},
		}},
	})
	must(t, err)
	for _, err := range all.Errors {
		must(t, err)
	}
	shows("segment.ms", "7200000")
	shows("retention.ms", "604800000")
}

func kafkaGoGroups(t *testing.T, c kafkaGo) {
	topic, group := written(t, c, writing{}, numbered(3)...), fresh(t)
	m := c.join(t, group, topic)
	receive(t, "a record", m.records())
	cl := c.dial(t)
	listed, err := cl.ListGroups(within(t), &kafkago.ListGroupsRequest{})
	must(t, err)
	must(t, listed.Error)
	found := 0
	for _, g := range listed.Groups {
		if g.GroupID == group && g.ProtocolType == "consumer" {
			found++
		}
	}
	equal(t, "listed", found, 1)
	describedAll, err := cl.DescribeGroups(within(t), &kafkago.DescribeGroupsRequest{GroupIDs: []string{group}})
	must(t, err)
	d := describedAll.Groups[0]
	must(t, d.Error)
	if d.GroupState != "Stable" || len(d.Members) != 1 {
		t.Fatalf("described %+v", d)
	}
	equal(t, "assigned", d.Members[0].MemberAssignments.Topics[0].Topic, topic)
	remove := func() error {
		t.Helper()
		deleted, err := cl.DeleteGroups(within(t), &kafkago.DeleteGroupsRequest{GroupIDs: []string{group}})
		must(t, err)
		return deleted.Errors[group]
	}
	is(t, "delete with a member", remove(), kafkago.NonEmptyGroup)
	m.leave(t)
	until(t, "the group can be deleted", func() bool { return remove() == nil })
	is(t, "delete again", remove(), kafkago.GroupIdNotFound)
}

func kafkaGoGroupOffsets(t *testing.T, c kafkaGo) {
	topic, group := fresh(t), fresh(t)
	c.createTopic(t, topic, 2)
	cl := c.dial(t)
	committed, err := cl.OffsetCommit(within(t), &kafkago.OffsetCommitRequest{
		GroupID: group, GenerationID: -1,
		Topics: map[string][]kafkago.OffsetCommit{topic: {{Partition: 0, Offset: 5, Metadata: "by hand"}, {Partition: 1, Offset: 7}}},
	})
	must(t, err)
	for _, p := range committed.Topics[topic] {
		must(t, p.Error)
	}
	fetch := func() map[int]kafkago.OffsetFetchPartition {
		t.Helper()
		fetched, err := cl.OffsetFetch(within(t), &kafkago.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: {0, 1}}})
		must(t, err)
		must(t, fetched.Error)
		all := map[int]kafkago.OffsetFetchPartition{}
		for _, p := range fetched.Topics[topic] {
			all[p.Partition] = p
		}
		return all
	}
	equal(t, "offset", fetch()[0].CommittedOffset, 5)
	equal(t, "metadata", fetch()[0].Metadata, "by hand")
	deleted, err := cl.OffsetDelete(within(t), &kafkago.OffsetDeleteRequest{GroupID: group, Topics: map[string][]int{topic: {1}}})
	must(t, err)
	must(t, deleted.Error)
	must(t, deleted.Topics[topic][0].Error)
	equal(t, "offset that was deleted", fetch()[1].CommittedOffset, -1)
	equal(t, "the other", fetch()[0].CommittedOffset, 5)
}

func kafkaGoACLs(t *testing.T, c kafkaGo) {
	cl := c.dial(t)
	described, err := cl.DescribeACLs(within(t), &kafkago.DescribeACLsRequest{Filter: kafkago.ACLFilter{
		ResourceTypeFilter: kafkago.ResourceTypeAny, ResourcePatternTypeFilter: kafkago.PatternTypeAny,
		Operation: kafkago.ACLOperationTypeAny, PermissionType: kafkago.ACLPermissionTypeAny,
	}})
	must(t, err)
	is(t, "describe", described.Error, kafkago.SecurityDisabled)
	created, err := cl.CreateACLs(within(t), &kafkago.CreateACLsRequest{ACLs: []kafkago.ACLEntry{{
		ResourceType: kafkago.ResourceTypeTopic, ResourceName: "t", ResourcePatternType: kafkago.PatternTypeLiteral, Principal: "User:alice", Host: "*",
		Operation: kafkago.ACLOperationTypeRead, PermissionType: kafkago.ACLPermissionTypeAllow,
	}}})
	must(t, err)
	is(t, "create", created.Errors[0], kafkago.SecurityDisabled)
}

// What one broker without users, quotas or reassignments answers.
func kafkaGoAnswered(t *testing.T, c kafkaGo) {
	topic := written(t, c, writing{}, numbered(1)...)
	cl := c.dial(t)
	moving, err := cl.ListPartitionReassignments(within(t), &kafkago.ListPartitionReassignmentsRequest{Timeout: time.Second})
	must(t, err)
	must(t, moving.Error)
	elected, err := cl.ElectLeaders(within(t), &kafkago.ElectLeadersRequest{Topic: topic, Partitions: []int{0}, Timeout: time.Second})
	must(t, err)
	must(t, elected.Error)
	equal(t, "partitions elected for", len(elected.PartitionResults), 1)
	is(t, "election", elected.PartitionResults[0].Error, kafkago.ElectionNotNeeded)
	nobody := fresh(t)
	users, err := cl.DescribeUserScramCredentials(within(t), &kafkago.DescribeUserScramCredentialsRequest{Users: []kafkago.UserScramCredentialsUser{{Name: nobody}}})
	must(t, err)
	must(t, users.Error)
	is(t, "user", users.Results[0].Error, kafkago.ResourceNotFound)
	quotas, err := cl.DescribeClientQuotas(within(t), &kafkago.DescribeClientQuotasRequest{
		Components: []kafkago.DescribeClientQuotasRequestComponent{{EntityType: "user", MatchType: 0, Match: nobody}}, Strict: true,
	})
	must(t, err)
	must(t, quotas.Error)
	equal(t, "quotas", len(quotas.Entries), 0)
}
