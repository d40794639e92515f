package api

import (
	"context"
	"fmt"
	"log/slog"
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
// come in alphabetical order; Kafka has none. No topic has min.insync.replicas
// from the cluster's defaults unasked: there is no ELR (KIP-966) that would need it.

func describeConfigs(_ context.Context, d *Deps, r *Request) Reply {
	in := r.Body.(*kmsg.DescribeConfigsRequest)
	out := in.ResponseKind().(*kmsg.DescribeConfigsResponse)
	// One type that nobody knows fails the whole request, as in Kafka.
	unknown := slices.ContainsFunc(in.Resources, func(res kmsg.DescribeConfigsRequestResource) bool {
		switch int8(res.ResourceType) {
		case int8(controller.ResourceTopic), int8(controller.ResourceBroker), resourceBrokerLogger, resourceClientMetrics, resourceGroup:
			return false
		}
		return true
	})
	for _, res := range in.Resources {
		o := kmsg.NewDescribeConfigsResponseResource()
		o.ResourceType, o.ResourceName = res.ResourceType, res.ResourceName
		o.Configs = []kmsg.DescribeConfigsResponseResourceConfig{}
		// Kafka's messages are empty, not null, where there is nothing to say.
		o.ErrorMessage = kmsg.StringPtr("")
		var entries []config.Entry
		err := error(kerr.InvalidRequest)
		if !unknown {
			entries, err = describeResource(d, int8(res.ResourceType), res.ResourceName, res.ConfigNames)
		}
		if err != nil {
			o.ErrorCode = code(err)
			if m := message(err); m != nil {
				o.ErrorMessage = m
			}
		}
		for _, e := range entries {
			o.Configs = append(o.Configs, describedConfig(e, in.IncludeSynonyms, in.IncludeDocumentation))
		}
		out.Resources = append(out.Resources, o)
	}
	return answer(out)
}

func describeResource(d *Deps, kind int8, name string, only []string) ([]config.Entry, error) {
	values := dynamicConfig(d)
	switch kind {
	case int8(controller.ResourceTopic):
		if reason := controller.ValidateTopicName(name); reason != "" {
			return nil, &controller.Error{Code: kerr.InvalidTopicException, Message: reason}
		}
		t, ok := d.Partitions.Image().Topic(name)
		if !ok {
			return nil, &controller.Error{Code: kerr.UnknownTopicOrPartition}
		}
		return values.DescribeTopic(t.Configs, only), nil
	case int8(controller.ResourceBroker):
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
		return describeLoggers(d.Logger, only), nil
	case resourceClientMetrics:
		if name == "" {
			return nil, invalidRequest("Client metrics subscription name must not be empty")
		}
		return config.DescribeClientMetrics(nil, only), nil
	default: // a group
		if name == "" {
			return nil, invalidRequest("Group name must not be empty")
		}
		return values.DescribeGroup(nil, only), nil
	}
}

func invalidRequest(format string, args ...any) error {
	return &controller.Error{Code: kerr.InvalidRequest, Message: fmt.Sprintf(format, args...)}
}

// rootLogger is the one logger there is.
const rootLogger = "root"

func describeLoggers(l *slog.Logger, only []string) []config.Entry {
	if len(only) > 0 && !slices.Contains(only, rootLogger) {
		return nil
	}
	level := "FATAL"
	for _, at := range []struct {
		level slog.Level
		name  string
	}{{slog.LevelError, "ERROR"}, {slog.LevelWarn, "WARN"}, {slog.LevelInfo, "INFO"}, {slog.LevelDebug, "DEBUG"}} {
		if l.Enabled(context.Background(), at.level) {
			level = at.name
		}
	}
	return []config.Entry{{Name: rootLogger, Value: &level, Source: config.SourceBrokerLogger}}
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
	if documentation && e.Doc != "" {
		c.Documentation = &e.Doc
	}
	return c
}
