package api

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// metadataOf asks for topics by name, without creating them.
func metadataOf(version int16, names ...string) *kmsg.MetadataRequest {
	req := kmsg.NewPtrMetadataRequest()
	req.Version, req.Topics = version, []kmsg.MetadataRequestTopic{}
	for _, name := range names {
		req.Topics = append(req.Topics, kmsg.MetadataRequestTopic{Topic: kmsg.StringPtr(name)})
	}
	return req
}

// told is what an answer says of its topics: name, error, partitions.
func told(resp *kmsg.MetadataResponse) string {
	var out []string
	for _, t := range resp.Topics {
		s := fmt.Sprintf("%s/%d", text(t.Topic), len(t.Partitions))
		if t.ErrorCode != 0 {
			s = text(t.Topic) + " " + kerr.TypedErrorForCode(t.ErrorCode).Message
		}
		if t.IsInternal {
			s += " internal"
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}

func TestMetadataInEveryVersion(t *testing.T) {
	f := newFixture(t, "auto.create.topics.enable", "false")
	id := f.topic("a", 2).ID
	f.topic("b", 1)
	f.versions(kmsg.NewPtrMetadataRequest(), func(version int16) {
		what := fmt.Sprintf("version %d: ", version)
		resp := ask[*kmsg.MetadataResponse](f, metadataOf(version, "b", "nowhere", "b", "no/name", "", "__consumer_offsets"))
		internal := " internal"
		if version == 0 {
			internal = "" // has no such field
		}
		equal(t, what+"by name", told(resp), "b/1, nowhere UNKNOWN_TOPIC_OR_PARTITION, no/name INVALID_TOPIC_EXCEPTION, "+
			" INVALID_TOPIC_EXCEPTION, __consumer_offsets UNKNOWN_TOPIC_OR_PARTITION"+internal)
		if len(resp.Brokers) != 1 || resp.Brokers[0].Host != "here" || resp.Brokers[0].Port != 9092 {
			t.Errorf("%sbrokers %+v", what, resp.Brokers)
		}
		if p := resp.Topics[0].Partitions[0]; p.Leader != testNode || len(p.Replicas) != 1 || len(p.ISR) != 1 {
			t.Errorf("%spartition %+v", what, p)
		}

		everything := metadataOf(version)
		if version == 0 {
			equal(t, what+"an empty list", told(ask[*kmsg.MetadataResponse](f, everything)), "a/2, b/1")
		} else {
			equal(t, what+"an empty list", told(ask[*kmsg.MetadataResponse](f, everything)), "")
			everything.Topics = nil
			equal(t, what+"null", told(ask[*kmsg.MetadataResponse](f, everything)), "a/2, b/1")
		}

		if version < 10 {
			return
		}
		byID := metadataOf(version)
		for _, id := range [][16]byte{id, {9}, id} {
			byID.Topics = append(byID.Topics, kmsg.MetadataRequestTopic{TopicID: id})
		}
		want := "a/2, null UNKNOWN_TOPIC_ID"
		if version < 12 {
			byID.Topics[0].Topic, byID.Topics[1].Topic, byID.Topics[2].Topic = kmsg.StringPtr("a"), kmsg.StringPtr(""), kmsg.StringPtr("a")
			want = "a INVALID_REQUEST,  INVALID_REQUEST, a INVALID_REQUEST"
		}
		equal(t, what+"by id", told(ask[*kmsg.MetadataResponse](f, byID)), want)
	})
}

func TestMetadataCreatesTopics(t *testing.T) {
	f := newFixture(t)
	for _, tc := range []struct {
		version int16
		allow   bool
		want    string
	}{
		{4, false, "v4 UNKNOWN_TOPIC_OR_PARTITION, no/name INVALID_TOPIC_EXCEPTION"},
		{4, true, "v4/1, no/name INVALID_TOPIC_EXCEPTION"},
		{3, false, "v3/1, no/name INVALID_TOPIC_EXCEPTION"},
	} {
		req := metadataOf(tc.version, fmt.Sprintf("v%d", tc.version), "no/name")
		req.AllowAutoTopicCreation = tc.allow
		equal(t, fmt.Sprintf("version %d, allowed %v", tc.version, tc.allow), told(ask[*kmsg.MetadataResponse](f, req)), tc.want)
	}
}

func TestMetadataAuthorizedOperations(t *testing.T) {
	f := newFixture(t)
	f.topic("a", 1)
	for _, version := range []int16{8, 10, 11, 13} {
		for _, asked := range []bool{false, true} {
			req := metadataOf(version, "a")
			req.IncludeClusterAuthorizedOperations = asked
			req.IncludeTopicAuthorizedOperations = asked
			resp := ask[*kmsg.MetadataResponse](f, req)
			cluster, topic := int32(math.MinInt32), int32(math.MinInt32)
			if asked {
				topic = authorizedTopicOperations()
				if version <= 10 {
					cluster = authorizedClusterOperations()
				}
			}
			what := fmt.Sprintf("version %d, asked %v", version, asked)
			equal(t, what+": cluster", resp.AuthorizedOperations, cluster)
			equal(t, what+": topic", resp.Topics[0].AuthorizedOperations, topic)
		}
	}
}
