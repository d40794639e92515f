package main

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// ask sends one request to a broker.
func ask[R kmsg.Response](ctx context.Context, addr string, req kmsg.Request) (none R, err error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr))
	if err != nil {
		return none, err
	}
	defer cl.Close()
	resp, err := cl.Request(ctx, req)
	if err != nil {
		return none, err
	}
	return resp.(R), nil
}

func create(ctx context.Context, addr, topic string, partitions int, configs properties) error {
	req := kmsg.NewPtrCreateTopicsRequest()
	rt := kmsg.NewCreateTopicsRequestTopic()
	rt.Topic, rt.NumPartitions, rt.ReplicationFactor = topic, int32(partitions), 1
	for key, value := range configs {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		c.Name, c.Value = key, kmsg.StringPtr(value)
		rt.Configs = append(rt.Configs, c)
	}
	req.Topics = append(req.Topics, rt)
	resp, err := ask[*kmsg.CreateTopicsResponse](ctx, addr, req)
	if err != nil {
		return err
	}
	if err := kerr.ErrorForCode(resp.Topics[0].ErrorCode); err != nil {
		return fmt.Errorf("creating %s: %w", topic, err)
	}
	return nil
}

// configsOf are the configurations that were set for the topic itself.
func configsOf(ctx context.Context, addr, topic string) (properties, error) {
	req := kmsg.NewPtrDescribeConfigsRequest()
	res := kmsg.NewDescribeConfigsRequestResource()
	res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeTopic, topic
	req.Resources = append(req.Resources, res)
	resp, err := ask[*kmsg.DescribeConfigsResponse](ctx, addr, req)
	if err != nil {
		return nil, err
	}
	if err := kerr.ErrorForCode(resp.Resources[0].ErrorCode); err != nil {
		return nil, fmt.Errorf("configs of %s: %w", topic, err)
	}
	configs := make(properties)
	for _, c := range resp.Resources[0].Configs {
		if c.Source == kmsg.ConfigSourceDynamicTopicConfig {
			configs[c.Name] = *c.Value
		}
	}
	return configs, nil
}

// produce writes records, each to the partition that it names.
func produce(ctx context.Context, addr, topic string, records []*kgo.Record, opts ...kgo.Opt) error {
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(addr), kgo.DefaultProduceTopic(topic), kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		return err
	}
	defer cl.Close()
	return cl.ProduceSync(ctx, records...).FirstErr()
}

func recordsOf(values []string) (records []*kgo.Record) {
	for _, v := range values {
		records = append(records, &kgo.Record{Value: []byte(v)})
	}
	return records
}

// byName keeps to versions in which topics are named, not given by id.
func byName() *kversion.Versions { return kversion.V3_8_0() }

// alter sets or takes back one configuration of a topic.
func alter(ctx context.Context, addr, topic, key string, op int8, value *string) error {
	req := kmsg.NewPtrIncrementalAlterConfigsRequest()
	res := kmsg.NewIncrementalAlterConfigsRequestResource()
	res.ResourceType, res.ResourceName = kmsg.ConfigResourceTypeTopic, topic
	c := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
	c.Name, c.Op, c.Value = key, kmsg.IncrementalAlterConfigOp(op), value
	res.Configs = append(res.Configs, c)
	req.Resources = append(req.Resources, res)
	resp, err := ask[*kmsg.IncrementalAlterConfigsResponse](ctx, addr, req)
	if err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.Resources[0].ErrorCode)
}
