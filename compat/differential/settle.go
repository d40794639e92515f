package main

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const settleTopic = "differential-settle"

// changesMetadata says whether a request may have changed what the controller
// agrees on. Apache Kafka answers it before the broker has heard of the change.
func changesMetadata(req kmsg.Request, answer *field) bool {
	if only := reflect.ValueOf(req).Elem().FieldByName("ValidateOnly"); only.IsValid() && only.Bool() {
		return false
	}
	return succeeded(answer) && slices.Contains([]kmsg.Key{
		kmsg.CreateTopics, kmsg.DeleteTopics, kmsg.CreatePartitions,
		kmsg.AlterConfigs, kmsg.IncrementalAlterConfigs,
		kmsg.ElectLeaders, kmsg.AlterPartitionAssignments,
		kmsg.AlterClientQuotas, kmsg.AlterUserSCRAMCredentials, kmsg.UpdateFeatures, kmsg.UnregisterBroker,
		kmsg.CreateACLs, kmsg.DeleteACLs,
	}, kmsg.Key(req.Key()))
}

// succeeded says whether an answer, or one of those in it, has no error.
func succeeded(f *field) bool {
	if f.kind == listField {
		return slices.ContainsFunc(f.children, succeeded)
	}
	for _, c := range f.children {
		if c.kind == listField && len(c.children) > 0 && c.children[0].kind == objectField {
			return succeeded(c)
		}
	}
	code := f.at("ErrorCode")
	return code == nil || code.text == "0"
}

// settle returns when the broker has applied every change of metadata that was
// answered before. Changes are applied in their order, and a configuration is
// shown before what follows from the same change is done: hence two changes, the
// second of which is shown only after everything about the first is done.
func (p *player) settle() error {
	for range 2 {
		p.settled++
		want := strconv.Itoa(1_000_000 + p.settled)
		alter := kmsg.NewPtrIncrementalAlterConfigsRequest()
		alter.Version = 1
		resource := kmsg.NewIncrementalAlterConfigsRequestResource()
		resource.ResourceType, resource.ResourceName = kmsg.ConfigResourceTypeTopic, settleTopic
		config := kmsg.NewIncrementalAlterConfigsRequestResourceConfig()
		config.Name, config.Value = "segment.ms", &want
		resource.Configs = append(resource.Configs, config)
		alter.Resources = append(alter.Resources, resource)
		response, err := p.call(alter)
		if err != nil {
			return err
		}
		if code := response.(*kmsg.IncrementalAlterConfigsResponse).Resources[0].ErrorCode; code != 0 {
			return fmt.Errorf("settle: %w", kerr.ErrorForCode(code))
		}
		describe := kmsg.NewPtrDescribeConfigsRequest()
		describe.Version = 4
		asked := kmsg.NewDescribeConfigsRequestResource()
		asked.ResourceType, asked.ResourceName, asked.ConfigNames = kmsg.ConfigResourceTypeTopic, settleTopic, []string{"segment.ms"}
		describe.Resources = append(describe.Resources, asked)
		shown := func() (bool, error) {
			response, err := p.call(describe)
			if err != nil {
				return false, err
			}
			r := response.(*kmsg.DescribeConfigsResponse).Resources[0]
			return len(r.Configs) == 1 && *r.Configs[0].Value == want, nil
		}
		if err := await(shown); err != nil {
			return fmt.Errorf("settle: %w", err)
		}
	}
	return nil
}

// await asks until the answer is yes.
func await(yes func() (bool, error)) error {
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		switch ok, err := yes(); {
		case err != nil:
			return err
		case ok:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("not after %v", patience)
		}
	}
}

// topicStep runs: topic NAME PARTITIONS [CONFIG=VALUE…].
func (p *player) topicStep(s *step, vars variables) error {
	if len(s.items) < 2 {
		return fmt.Errorf("topic wants a name and a number of partitions")
	}
	name, err := s.items[0].string(vars)
	if err != nil {
		return err
	}
	partitions, err := number(s.items[1].text, 32)
	if err != nil {
		return err
	}
	var configs []kmsg.CreateTopicsRequestTopicConfig
	for _, it := range s.items[2:] {
		c := kmsg.NewCreateTopicsRequestTopicConfig()
		value, err := it.string(vars)
		if err != nil {
			return err
		}
		c.Name, c.Value = it.name, &value
		configs = append(configs, c)
	}
	return p.topic(name, int32(partitions), configs)
}

// topic makes a topic and returns when all its partitions are served and its id
// is known.
func (p *player) topic(name string, partitions int32, configs []kmsg.CreateTopicsRequestTopicConfig) error {
	create := kmsg.NewPtrCreateTopicsRequest()
	create.Version, create.TimeoutMillis = 7, int32(patience.Milliseconds())
	t := kmsg.NewCreateTopicsRequestTopic()
	t.Topic, t.NumPartitions, t.ReplicationFactor, t.Configs = name, partitions, 1, configs
	create.Topics = append(create.Topics, t)
	response, err := p.call(create)
	if err != nil {
		return err
	}
	if code := response.(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode; code != 0 {
		return fmt.Errorf("topic %s: %w", name, kerr.ErrorForCode(code))
	}
	list := kmsg.NewPtrListOffsetsRequest()
	list.Version, list.ReplicaID = 7, -1
	asked := kmsg.NewListOffsetsRequestTopic()
	asked.Topic = name
	for i := range partitions {
		one := kmsg.NewListOffsetsRequestTopicPartition()
		one.Partition, one.Timestamp = i, -1
		asked.Partitions = append(asked.Partitions, one)
	}
	list.Topics = append(list.Topics, asked)
	return await(func() (bool, error) {
		response, err := p.call(list)
		if err != nil {
			return false, err
		}
		for _, one := range response.(*kmsg.ListOffsetsResponse).Topics[0].Partitions {
			if one.ErrorCode != 0 {
				return false, nil
			}
		}
		return true, nil
	})
}

// recordsStep runs: records TOPIC PARTITION BYTES.
func (p *player) recordsStep(s *step, vars variables) error {
	if len(s.items) != 3 {
		return fmt.Errorf("records wants a topic, a partition and a batch")
	}
	topic, err := s.items[0].string(vars)
	if err != nil {
		return err
	}
	partition, err := number(s.items[1].text, 32)
	if err != nil {
		return err
	}
	bytes, err := s.items[2].bytes(vars)
	if err != nil {
		return err
	}
	produce := kmsg.NewPtrProduceRequest()
	produce.Version, produce.Acks, produce.TimeoutMillis = 9, -1, int32(patience.Milliseconds())
	t := kmsg.NewProduceRequestTopic()
	one := kmsg.NewProduceRequestTopicPartition()
	t.Topic, one.Partition, one.Records = topic, int32(partition), bytes
	t.Partitions = append(t.Partitions, one)
	produce.Topics = append(produce.Topics, t)
	response, err := p.call(produce)
	if err != nil {
		return err
	}
	if code := response.(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode; code != 0 {
		return fmt.Errorf("records to %s-%d: %w", topic, partition, kerr.ErrorForCode(code))
	}
	return nil
}

// rawText is the text of the field of a response at a path such as
// Topics.0.TopicID, as a row would write it in a request.
func rawText(response kmsg.Response, path string) (string, error) {
	if response == nil {
		return "", fmt.Errorf("there was no answer")
	}
	v := reflect.ValueOf(response)
	for _, name := range strings.Split(path, ".") {
		v = reflect.Indirect(v)
		if n, err := strconv.Atoi(name); err == nil && v.Kind() == reflect.Slice {
			if n >= v.Len() {
				return "", fmt.Errorf("there are only %d", v.Len())
			}
			v = v.Index(n)
			continue
		}
		if v.Kind() != reflect.Struct || !v.FieldByName(name).IsValid() {
			return "", fmt.Errorf("no field %s", name)
		}
		v = v.FieldByName(name)
	}
	v = reflect.Indirect(v)
	if !v.IsValid() {
		return "", fmt.Errorf("it is null")
	}
	switch x := v.Interface().(type) {
	case [16]byte:
		return idText(x), nil
	case []byte:
		return string(x), nil
	}
	return fmt.Sprint(v.Interface()), nil
}
