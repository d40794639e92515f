package broker

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// traceOf is the message as it is traced; it must be JSON.
func traceOf(t *testing.T, m any) string {
	t.Helper()
	line := appendMessage(nil, m)
	if !json.Valid(line) {
		t.Fatalf("not JSON: %.2000s", line)
	}
	return string(line)
}

func TestTraceMasksSecrets(t *testing.T) {
	const secret = "hunter2"
	incremental := kmsg.NewPtrIncrementalAlterConfigsRequest()
	alter := kmsg.NewPtrAlterConfigsRequest()
	described := kmsg.NewPtrDescribeConfigsResponse()
	incremental.Resources = make([]kmsg.IncrementalAlterConfigsRequestResource, 1)
	alter.Resources = make([]kmsg.AlterConfigsRequestResource, 1)
	described.Resources = make([]kmsg.DescribeConfigsResponseResource, 1)
	for _, name := range []string{"ssl.keystore.password", "listener.name.external.ssl.keystore.password", "listener.name.a.plain.sasl.jaas.config", "no.such.key"} {
		incremental.Resources[0].Configs = append(incremental.Resources[0].Configs,
			kmsg.IncrementalAlterConfigsRequestResourceConfig{Name: name, Value: kmsg.StringPtr(secret)})
		alter.Resources[0].Configs = append(alter.Resources[0].Configs,
			kmsg.AlterConfigsRequestResourceConfig{Name: name, Value: kmsg.StringPtr(secret)})
		described.Resources[0].Configs = append(described.Resources[0].Configs, kmsg.DescribeConfigsResponseResourceConfig{
			Name: name, Value: kmsg.StringPtr(secret), IsSensitive: true,
			ConfigSynonyms: []kmsg.DescribeConfigsResponseResourceConfigConfigSynonym{{Name: name, Value: kmsg.StringPtr(secret)}},
		})
	}
	sasl := kmsg.NewPtrSASLAuthenticateRequest()
	sasl.SASLAuthBytes = []byte("\x00user\x00" + secret)
	scram := kmsg.NewPtrAlterUserSCRAMCredentialsRequest()
	scram.Upsertions = []kmsg.AlterUserSCRAMCredentialsRequestUpsertion{{Name: "u", Salt: []byte(secret), SaltedPassword: []byte(secret)}}
	for _, m := range []any{incremental, alter, described, sasl, scram} {
		if line := traceOf(t, m); strings.Contains(line, secret) || strings.Contains(line, `"bytes"`) || !strings.Contains(line, "***") {
			t.Errorf("%T: %s", m, line)
		}
	}
	// What is no secret is shown.
	incremental.Resources[0].Configs = []kmsg.IncrementalAlterConfigsRequestResourceConfig{{Name: "retention.ms", Value: kmsg.StringPtr("12345")}}
	if line := traceOf(t, incremental); !strings.Contains(line, "12345") {
		t.Error(line)
	}
}

// TestTraceIsBoundedJSON traces what a client may send and no line should hold.
func TestTraceIsBoundedJSON(t *testing.T) {
	m := kmsg.NewPtrMetadataRequest()
	for range 5 * maxTracedElements {
		m.Topics = append(m.Topics, kmsg.MetadataRequestTopic{Topic: kmsg.StringPtr(strings.Repeat("é\xff\"<\n", 2000))})
	}
	f := kmsg.NewPtrFetchRequest()
	f.Topics = make([]kmsg.FetchRequestTopic, maxTracedElements)
	for i := range f.Topics {
		f.Topics[i].Partitions = make([]kmsg.FetchRequestTopicPartition, maxTracedElements)
	}
	p := kmsg.NewPtrProduceRequest()
	p.Topics = []kmsg.ProduceRequestTopic{{Partitions: []kmsg.ProduceRequestTopicPartition{
		{Records: nil}, {Records: []byte("no batch")}, {Records: append(someBatch(2, 10), "and more"...)},
	}}}
	for _, m := range []any{m, f, p} {
		if line := traceOf(t, m); len(line) > 2*maxTracedLine {
			t.Errorf("%T: a line of %d bytes", m, len(line))
		}
	}
}
