package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// described asks for resources given as "type:name" or "type:name?key,key" and
// answers a line for each entry and for each error.
func (f *fixture) described(version int16, resources ...string) (out []string) {
	f.Helper()
	r := kmsg.NewPtrDescribeConfigsRequest()
	r.Version, r.IncludeSynonyms, r.IncludeDocumentation = version, true, true
	for _, s := range resources {
		res := kmsg.NewDescribeConfigsRequestResource()
		name, keys, some := strings.Cut(s, "?")
		res.ResourceType, res.ResourceName = resource(f.T, name)
		if some {
			res.ConfigNames = strings.Split(keys, ",")
		}
		r.Resources = append(r.Resources, res)
	}
	for _, res := range ask[*kmsg.DescribeConfigsResponse](f, r).Resources {
		if res.ErrorCode != 0 || text(res.ErrorMessage) != "" {
			out = append(out, fmt.Sprintf("%d:%s e%d %s", res.ResourceType, res.ResourceName, res.ErrorCode, text(res.ErrorMessage)))
		}
		for _, c := range res.Configs {
			line := fmt.Sprintf("%s=%s source=%d type=%d", c.Name, text(c.Value), c.Source, c.ConfigType)
			if c.ReadOnly {
				line += " read-only"
			}
			if c.IsSensitive {
				line += " sensitive"
			}
			for _, s := range c.ConfigSynonyms {
				line += fmt.Sprintf(" {%s %s %d}", s.Name, text(s.Value), s.Source)
			}
			if version >= 3 && c.Documentation == nil {
				line += " undocumented"
			}
			out = append(out, line)
		}
	}
	return out
}

func resource(t *testing.T, s string) (kmsg.ConfigResourceType, string) {
	t.Helper()
	var kind int8
	number, name, _ := strings.Cut(s, ":")
	if _, err := fmt.Sscan(number, &kind); err != nil {
		t.Fatal(err)
	}
	return kmsg.ConfigResourceType(kind), name
}

func TestDescribeConfigs(t *testing.T) {
	f := newFixture(t, "log.retention.hours", "100", "ssl.keystore.password", "secret")
	f.topic("t", 1, "cleanup.policy", "compact, delete")
	for _, c := range []struct {
		resource string
		want     []string
	}{
		{"2:t?cleanup.policy,retention.ms,nosuch", []string{
			"cleanup.policy=compact,delete source=1 type=7 {cleanup.policy compact,delete 1} {log.cleanup.policy delete 5}",
			"retention.ms=360000000 source=5 type=5"}},
		{"4:1?log.retention.hours,ssl.keystore.password,num.io.threads", []string{
			"log.retention.hours=100 source=4 type=3 read-only {log.retention.hours 100 4} {log.retention.hours 168 5}",
			"num.io.threads=8 source=5 type=3 {num.io.threads 8 5}",
			"ssl.keystore.password=null source=4 type=9 sensitive {ssl.keystore.password null 4}"}},
		{"4:", []string{"min.insync.replicas=1 source=3 type=3 {min.insync.replicas 1 3}"}},
		{"8:1", []string{"root=INFO source=6 type=0"}},
		{"32:g?share.auto.offset.reset", []string{"share.auto.offset.reset=latest source=5 type=2 {share.auto.offset.reset latest 5}"}},
		{"16:m?interval.ms", []string{"interval.ms=300000 source=5 type=3"}},

		{"2:nope", []string{"2:nope e3 "}},
		{"2:", []string{"2: e17 Topic name is invalid: the empty string is not allowed"}},
		{"2:bad/n", []string{"2:bad/n e17 Topic name is invalid: 'bad/n' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"}},
		{"4:2", []string{"4:2 e42 Unexpected broker id, expected 1 or empty string, but received 2"}},
		{"4:x", []string{"4:x e42 Broker id must be an integer, but it is: x"}},
		{"8:", []string{"8: e42 Broker id must not be empty"}},
		{"8:2", []string{"8:2 e42 Unexpected broker id, expected 1 but received 2"}},
		{"8:x", []string{"8:x e42 Broker id must be an integer, but it is: x"}},
		{"32:", []string{"32: e42 Group name must not be empty"}},
		{"16:", []string{"16: e42 Client metrics subscription name must not be empty"}},
	} {
		equal(t, c.resource, f.described(4, c.resource), c.want)
	}
	for resource, n := range map[string]int{"2:t": 33, "4:1": 340, "32:g": 17, "16:m": 3} {
		equal(t, "number of entries of "+resource, len(f.described(4, resource)), n)
	}
}

// A type that nobody knows fails the resources beside it too.
func TestDescribeConfigsOfUnknownType(t *testing.T) {
	f := newFixture(t)
	f.topic("t", 1)
	const malformed = " e42 This most likely occurs because of a request being malformed by the client library or the message was sent to an incompatible broker. See the broker logs for more details."
	equal(t, "answer", f.described(4, "2:t", "3:x"), []string{"2:t" + malformed, "3:x" + malformed})
}

func TestDescribeConfigsInEveryVersion(t *testing.T) {
	f := newFixture(t)
	f.topic("t", 1)
	f.versions(kmsg.NewPtrDescribeConfigsRequest(), func(version int16) {
		kind := "type=3"
		if version < 3 {
			kind = "type=0"
		}
		equal(t, fmt.Sprint("version ", version), f.described(version, "2:t?segment.bytes"),
			[]string{"segment.bytes=1073741824 source=5 " + kind + " {log.segment.bytes 1073741824 5}"})
	})
}

func TestListConfigResources(t *testing.T) {
	f := newFixture(t)
	f.topic("b", 1)
	f.topic("a", 1)
	for _, c := range []struct {
		version int16
		types   []int8
		want    string
	}{
		{0, nil, "e0"},
		{1, nil, "e0 2:a 2:b 4:1 8:1"},
		{1, []int8{2}, "e0 2:a 2:b"},
		{1, []int8{4, 2, 4}, "e0 2:a 2:b 4:1"},
		{1, []int8{8}, "e0 8:1"},
		{1, []int8{16, 32}, "e0"},
		{1, []int8{0}, "e35"},
		{1, []int8{2, 99}, "e35"},
	} {
		equal(t, fmt.Sprint(c.version, c.types), f.configResources(c.version, c.types...), c.want)
	}
}

func (f *fixture) configResources(version int16, types ...int8) string {
	f.Helper()
	r := kmsg.NewPtrListConfigResourcesRequest()
	r.Version, r.ResourceTypes = version, types
	a := ask[*kmsg.ListConfigResourcesResponse](f, r)
	got := fmt.Sprintf("e%d", a.ErrorCode)
	for _, res := range a.ConfigResources {
		got += fmt.Sprintf(" %d:%s", res.Type, res.Name)
	}
	return got
}
