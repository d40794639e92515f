package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
)

// overREST: what can be done with a connector is done, and has the effect.
func (l *lane) overREST(ctx context.Context, c *cluster) error {
	name := l.name("rest")
	in, err := l.file(name + ".in")
	if err != nil {
		return err
	}
	one, other := c.workers[0].rest, c.workers[1].rest
	config := properties{"connector.class": fileSource, "file": in, "topic": name, "name": name,
		"topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1"}

	var verdict struct {
		Errors int `json:"error_count"`
	}
	if err := one.do(ctx, http.MethodPut, "/connector-plugins/FileStreamSource/config/validate", config.with(properties{"batch.size": "many"}), &verdict); err != nil || verdict.Errors != 1 {
		return errors.Join(fmt.Errorf("validation of a wrong config finds %d errors", verdict.Errors), err)
	}
	if err := one.do(ctx, http.MethodPost, "/connectors", map[string]any{"name": name, "config": config, "initial_state": "STOPPED"}, nil); err != nil {
		return err
	}
	if err := other.awaitState(ctx, name, "STOPPED", 0); err != nil {
		return err
	}
	if err := other.resume(ctx, name, 1); err != nil {
		return err
	}
	r, err := newReader(l.addr, name, 1, false)
	if err != nil {
		return err
	}
	defer r.close()
	written := 0
	more := func() error {
		written += 10
		return appendLines(in, written-10, written)
	}
	goesOn := func() error {
		if err := more(); err != nil {
			return err
		}
		if err := r.count(ctx, written); err != nil {
			return err
		}
		return same("the topic", numbers(written), values(r.all()))
	}
	if err := goesOn(); err != nil {
		return err
	}
	var topics map[string]struct {
		Topics []string `json:"topics"`
	}
	if err := await(ctx, func() error {
		if err := one.get(ctx, "/connectors/"+name+"/topics", &topics); err != nil || !slices.Equal(topics[name].Topics, []string{name}) {
			return errors.Join(fmt.Errorf("the connector's topics are %v", topics), err)
		}
		return nil
	}); err != nil {
		return err
	}

	// A change of state is done when each worker has read of it: also the one that has the task.
	if err := one.pause(ctx, name, 1); err != nil {
		return err
	}
	if err := more(); err != nil {
		return err
	}
	if err := other.resume(ctx, name, 1); err != nil {
		return err
	}
	if err := goesOn(); err != nil {
		return err
	}
	for _, path := range []string{"/restart?includeTasks=true", "/tasks/0/restart"} {
		if err := one.do(ctx, http.MethodPost, "/connectors/"+name+path, nil, nil); err != nil {
			return err
		}
		if err := other.awaitState(ctx, name, "RUNNING", 1); err != nil {
			return err
		}
	}
	if err := goesOn(); err != nil {
		return err
	}
	if err := one.do(ctx, http.MethodPatch, "/connectors/"+name+"/config", properties{"transforms": "value", "transforms.value.type": "org.apache.kafka.connect.transforms.ValueToKey"}, nil); err == nil {
		return errors.New("a config that is wrong was taken")
	}
	if err := other.remove(ctx, name); err != nil {
		return err
	}
	return await(ctx, func() error {
		for _, w := range c.workers {
			err := w.rest.get(ctx, "/connectors/"+name, nil)
			if no := (*refused)(nil); !errors.As(err, &no) || no.status != http.StatusNotFound {
				return fmt.Errorf("the connector was removed, and is still there: %w", err)
			}
		}
		return nil
	})
}
