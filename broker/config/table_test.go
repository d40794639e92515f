package config

import (
	"strings"
	"testing"
)

func tables() map[string]*Defs {
	return map[string]*Defs{"broker": BrokerDefs(), "broker, dynamic only": dynamicOnlyDefs(), "topic": TopicDefs(),
		"group": GroupDefs(), "client metrics": ClientMetricsDefs()}
}

// TestTables holds what every row owes: a default that its own rule takes, in the
// form that DescribeConfigs prints, and a documentation line.
func TestTables(t *testing.T) {
	for kind, table := range tables() {
		seen := map[string]bool{}
		for d := range table.All() {
			if seen[d.Name] {
				t.Errorf("%s key %s has two rows", kind, d.Name)
			}
			seen[d.Name] = true
			if d.Doc == "" || !strings.HasSuffix(d.Doc, ".") || len(d.Doc) > 200 {
				t.Errorf("%s key %s: the documentation is not a sentence or two: %q", kind, d.Name, d.Doc)
			}
			if strings.HasSuffix(d.Name, ".ms") && !strings.Contains(strings.ToLower(d.Doc), "millisecond") {
				t.Errorf("%s key %s: the documentation has no unit: %q", kind, d.Name, d.Doc)
			}
			if strings.HasSuffix(d.Name, ".bytes") && d.Type != Double && !strings.Contains(strings.ToLower(d.Doc), "byte") {
				t.Errorf("%s key %s: the documentation has no unit: %q", kind, d.Name, d.Doc)
			}
			if d.Sensitive() && !d.Null {
				t.Errorf("%s key %s: a secret has a default", kind, d.Name)
			}
			if d.Null {
				continue
			}
			if normal, err := d.Parse(d.Default); err != nil || normal != d.Default {
				t.Errorf("%s key %s: default %q parses to %q, %v", kind, d.Name, d.Default, normal, err)
			}
		}
	}
}

// TestTableSizes are the numbers of keys of Apache Kafka 4.3.1, those included
// that it does not show.
func TestTableSizes(t *testing.T) {
	for kind, want := range map[string]int{"broker": 360, "broker, dynamic only": 3, "topic": 34, "group": 17, "client metrics": 3} {
		if got := tables()[kind].Len(); got != want {
			t.Errorf("%d %s keys, want %d", got, kind, want)
		}
	}
	hidden := map[string]int{}
	for kind, table := range tables() {
		for d := range table.All() {
			if d.Internal {
				hidden[kind]++
			}
		}
	}
	if hidden["broker"] != 20 || hidden["topic"] != 1 || len(hidden) != 2 {
		t.Errorf("hidden keys %v, want 20 of the broker and 1 of topics", hidden)
	}
}

func TestAppliedKeysExist(t *testing.T) {
	for _, key := range applied() {
		if d, ok := BrokerDefs().Lookup(key); !ok || !d.Applied {
			t.Errorf("applied() lists %s: in the table %v", key, ok)
		}
	}
}

func TestQuickStartIsValidAndDiffers(t *testing.T) {
	for _, q := range quickStart() {
		d, ok := BrokerDefs().Lookup(q.key)
		if !ok {
			t.Errorf("the quick start sets %s, which is no key", q.key)
			continue
		}
		if normal, err := d.Parse(q.value); err != nil || normal != q.value {
			t.Errorf("the quick start's %s=%s parses to %q, %v", q.key, q.value, normal, err)
		}
		if !d.Null && d.Default == q.value {
			t.Errorf("the quick start's %s=%s is Kafka's default", q.key, q.value)
		}
		if q.why == "" {
			t.Errorf("the quick start does not say why it sets %s", q.key)
		}
	}
}

// TestTopicSynonyms holds that a topic key and the broker key behind it agree.
func TestTopicSynonyms(t *testing.T) {
	without := 0
	for d := range TopicDefs().All() {
		synonyms := topicSynonyms(d.Name)
		if len(synonyms) == 0 {
			without++
		}
		for i, s := range synonyms {
			b, ok := BrokerDefs().Lookup(s.key)
			if !ok {
				t.Errorf("%s: no broker key %s", d.Name, s.key)
				continue
			}
			if i == 0 && b.Type != d.Type {
				t.Errorf("%s is %v, %s is %v", d.Name, d.Type, s.key, b.Type)
			}
			if i == len(synonyms)-1 && s.convert(b.Default) != d.Default {
				t.Errorf("%s is %s by default, %s %s", d.Name, d.Default, s.key, b.Default)
			}
			if i < len(synonyms)-1 && !b.Null {
				t.Errorf("%s: %s has a default and hides the rest", d.Name, s.key)
			}
		}
	}
	if without != 6 {
		t.Errorf("%d topic keys have no broker key, want 6", without)
	}
}

func TestNearest(t *testing.T) {
	for _, tc := range []struct{ typed, want string }{
		{"num.partition", "num.partitions"},
		{"num_partitions", "num.partitions"},
		{"NUM.PARTITIONS", "num.partitions"},
		{"nmu.partitions", "num.partitions"},
		{"listener", "listeners"},
		{"advertised.listener", "advertised.listeners"},
		{"advertized.listeners", "advertised.listeners"},
		{"log.retention.hour", "log.retention.hours"},
		{"log.dirss", "log.dirs"},
		{"auto.create.topic.enable", "auto.create.topics.enable"},
		{"xyzzy", ""},
		{"", ""},
		{"completely.different.and.rather.long.name", ""},
	} {
		if got, _ := BrokerDefs().Nearest(tc.typed); got != tc.want {
			t.Errorf("Nearest(%q) = %q, want %q", tc.typed, got, tc.want)
		}
	}
	if got, _ := TopicDefs().Nearest("retention.msec"); got != "retention.ms" {
		t.Errorf("Nearest topic key of retention.msec = %q", got)
	}
}

func BenchmarkBuildTables(b *testing.B) {
	for b.Loop() {
		build("", listenerRows(), generalRows(), logRows(), replicationRows(), groupRows(), streamsRows(), shareRows(),
			transactionRows(), quorumRows(), quotaRows(), remoteRows(), securityRows(), saslRows(), internalRows())
		build("", topicRows())
	}
}
