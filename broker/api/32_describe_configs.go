package api

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/broker/config"
	"blumfeld/controller"
)

// DescribeConfigs, key 32, versions 1 to 4: KIP-133, KIP-226 (source and synonyms,
// version 1), KIP-569 (type and documentation, version 3), KIP-412 (broker
// loggers), KIP-714 (client metrics), KIP-1000 (groups).
//
// Deviations: the documentation is our own. There is one logger, root. Entries
// come in alphabetical order; Kafka has none.

func describeConfigs(_ context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.DescribeConfigsRequest)
	out := in.ResponseKind().(*kmsg.DescribeConfigsResponse)
	// One type that nobody knows fails the whole request, as in Kafka.
	unknown := slices.ContainsFunc(in.Resources, func(res kmsg.DescribeConfigsRequestResource) bool {
		return !slices.Contains(configResourceTypes(), controller.ResourceType(res.ResourceType))
	})
	values, room := dynamicConfig(d), d.answerRoom()
	for _, res := range in.Resources {
		o := kmsg.NewDescribeConfigsResponseResource()
		o.ResourceType, o.ResourceName = res.ResourceType, res.ResourceName
		o.Configs = []kmsg.DescribeConfigsResponseResourceConfig{}
		// Kafka's messages are empty, not null, where there is nothing to say.
		o.ErrorMessage = kmsg.StringPtr("")
		var entries []config.Entry
		err := error(kerr.InvalidRequest)
		if !unknown {
			entries, err = describeResource(d, values, controller.ResourceType(res.ResourceType), res.ResourceName, res.ConfigNames)
		}
		if err != nil {
			o.ErrorCode = code(err)
			if m := message(err); m != nil {
				o.ErrorMessage = m
			}
		}
		if !room.take(len(entries) * configEntrySize) {
			return tooMuchAsked(r)
		}
		for _, e := range entries {
			o.Configs = append(o.Configs, describedConfig(e, in.IncludeSynonyms, in.IncludeDocumentation))
		}
		out.Resources = append(out.Resources, o)
	}
	return answer(out)
}

func describeResource(d *Deps, values config.Values, kind controller.ResourceType, name string, only []string) ([]config.Entry, error) {
	switch kind {
	case controller.ResourceTopic:
		if reason := controller.ValidateTopicName(name); reason != "" {
			return nil, &controller.Error{Code: kerr.InvalidTopicException, Message: reason}
		}
		t, ok := d.Partitions.Image().Topic(name)
		if !ok {
			return nil, &controller.Error{Code: kerr.UnknownTopicOrPartition}
		}
		return values.DescribeTopic(t.Configs, only), nil
	case controller.ResourceBroker:
		if name == "" {
			return values.DescribeClusterDefaults(only), nil
		}
		id, err := strconv.ParseInt(name, 10, 32)
		if err != nil {
			return nil, invalidRequest("Broker id must be an integer, but it is: %s", name)
		}
		if int32(id) != d.NodeID {
			return nil, invalidRequest("Unexpected broker id, expected %d or empty string, but received %s", d.NodeID, name)
		}
		return values.DescribeBroker(only), nil
	case resourceBrokerLogger:
		if name == "" {
			return nil, invalidRequest("Broker id must not be empty")
		}
		id, err := strconv.ParseInt(name, 10, 32)
		if err != nil {
			return nil, invalidRequest("Broker id must be an integer, but it is: %s", name)
		}
		if int32(id) != d.NodeID {
			return nil, invalidRequest("Unexpected broker id, expected %d but received %s", d.NodeID, name)
		}
		return describeLoggers(d.LogLevel.Level(), only), nil
	case controller.ResourceClientMetrics:
		if name == "" {
			return nil, invalidRequest("Client metrics subscription name must not be empty")
		}
		return config.DescribeClientMetrics(d.Partitions.Image().ClientMetricsConfigs(name), only), nil
	default: // a group
		if name == "" {
			return nil, invalidRequest("Group name must not be empty")
		}
		return values.DescribeGroup(d.Partitions.Image().GroupConfigs(name), only), nil
	}
}

func invalidRequest(format string, args ...any) error {
	return &controller.Error{Code: kerr.InvalidRequest, Message: fmt.Sprintf(format, args...)}
}

func describedConfig(e config.Entry, synonyms, documentation bool) kmsg.DescribeConfigsResponseResourceConfig {
	c := kmsg.NewDescribeConfigsResponseResourceConfig()
	c.Name, c.Value, c.ReadOnly, c.IsSensitive = e.Name, e.Value, e.ReadOnly, e.Sensitive
	c.Source, c.ConfigType = kmsg.ConfigSource(e.Source), kmsg.ConfigType(e.Type)
	if synonyms {
		for _, s := range e.Synonyms {
			y := kmsg.NewDescribeConfigsResponseResourceConfigConfigSynonym()
			y.Name, y.Value, y.Source = s.Name, s.Value, kmsg.ConfigSource(s.Source)
			c.ConfigSynonyms = append(c.ConfigSynonyms, y)
		}
	}
	// A logger's is empty, not null, whether it is asked for or not.
	if documentation && e.Doc != "" || e.Source == config.SourceBrokerLogger {
		c.Documentation = &e.Doc
	}
	return c
}
