package main

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// deadLetters: what a sink cannot convert goes to a topic, as it was, with where it came from in its headers.
func (l *lane) deadLetters(ctx context.Context, c *cluster) error {
	const records = 300
	topic := l.name("dead")
	letters, out := topic+"-letters", l.path(topic+".out")
	if err := create(ctx, l.addr, topic, 1, nil); err != nil {
		return err
	}
	var good, bad []string
	var produced []*kgo.Record
	for n := range records {
		value := fmt.Sprintf(`{"n":%d}`, n)
		if n%3 == 1 {
			value = fmt.Sprintf(`{"n":%d`, n)
			bad = append(bad, fmt.Sprintf("%d %s key %d", n, value, n))
		} else {
			good = append(good, fmt.Sprintf("{n=%d}", n))
		}
		produced = append(produced, &kgo.Record{Key: fmt.Appendf(nil, "key %d", n), Value: []byte(value)})
	}
	if err := produce(ctx, l.addr, topic, produced); err != nil {
		return err
	}
	r := c.workers[0].rest
	name := topic + "-sink"
	if err := r.put(ctx, name, properties{
		"connector.class": fileSink, "file": out, "topics": topic,
		"value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "false",
		"errors.tolerance": "all", "errors.deadletterqueue.topic.name": letters, "errors.deadletterqueue.topic.replication.factor": "1",
		"errors.deadletterqueue.context.headers.enable": "true",
	}, 1); err != nil {
		return err
	}
	if err := awaitFile(ctx, out, good); err != nil {
		return err
	}
	read, err := readTopic(ctx, l.addr, letters, 1, false)
	if err != nil {
		return err
	}
	var got []string
	for _, record := range read[0] {
		headers := make(map[string]string)
		for _, h := range record.Headers {
			headers[h.Key] = string(h.Value)
		}
		const prefix = "__connect.errors."
		if headers[prefix+"topic"] != topic || headers[prefix+"partition"] != "0" || headers[prefix+"connector.name"] != name || headers[prefix+"stage"] != "VALUE_CONVERTER" {
			return fmt.Errorf("a dead letter has the headers %v", headers)
		}
		got = append(got, fmt.Sprintf("%s %s %s", headers[prefix+"offset"], record.Value, record.Key))
	}
	return same("the dead letters", bad, got)
}
