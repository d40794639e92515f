package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// rest asks a worker over HTTP.
type rest struct{ port int }

// refused is an answer that is no success.
type refused struct {
	status int
	said   string
}

func (r *refused) Error() string { return fmt.Sprintf("status %d: %s", r.status, r.said) }

func (r rest) get(ctx context.Context, path string, into any) error {
	return r.call(ctx, http.MethodGet, path, nil, into)
}

// do asks for a change, again while the workers are rebalancing.
func (r rest) do(ctx context.Context, method, path string, body, into any) error {
	var final error
	err := await(ctx, func() error {
		err := r.call(ctx, method, path, body, into)
		if no := (*refused)(nil); errors.As(err, &no) && (no.status == http.StatusConflict || no.status >= 500) {
			return err
		}
		final = err
		return nil
	})
	return errors.Join(err, final)
}

func (r rest) call(ctx context.Context, method, path string, body, into any) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var sent io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return err
		}
		sent = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, method, fmt.Sprintf("http://127.0.0.1:%d%s", r.port, path), sent)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return &refused{resp.StatusCode, strings.TrimSpace(string(said))}
	}
	if into == nil || len(said) == 0 {
		return nil
	}
	return json.Unmarshal(said, into)
}

// status is what the workers say of a connector.
type status struct {
	Connector state   `json:"connector"`
	Tasks     []state `json:"tasks"`
	Type      string  `json:"type"`
}

type state struct {
	ID     int    `json:"id"`
	State  string `json:"state"`
	Worker string `json:"worker_id"`
	Trace  string `json:"trace"`
}

// put makes a connector, or changes it, and returns when as many tasks of it run.
func (r rest) put(ctx context.Context, name string, config properties, tasks int) error {
	if err := r.do(ctx, http.MethodPut, "/connectors/"+name+"/config", config, nil); err != nil {
		return fmt.Errorf("making %s: %w", name, err)
	}
	return r.awaitState(ctx, name, "RUNNING", tasks)
}

// awaitState returns when the connector and its tasks, as many, are in a state.
func (r rest) awaitState(ctx context.Context, name, wanted string, tasks int) error {
	return await(ctx, func() error {
		var s status
		if err := r.get(ctx, "/connectors/"+name+"/status", &s); err != nil {
			return err
		}
		if s.Connector.State != wanted || len(s.Tasks) != tasks {
			return fmt.Errorf("%s is %s with %d tasks, not %s with %d", name, s.Connector.State, len(s.Tasks), wanted, tasks)
		}
		for _, t := range s.Tasks {
			if t.State != wanted {
				return fmt.Errorf("task %d of %s is %s, not %s\n%s", t.ID, name, t.State, wanted, t.Trace)
			}
		}
		return nil
	})
}

// change asks for one of pause, resume, stop, and returns when it is done.
func (r rest) change(ctx context.Context, name, what, wanted string, tasks int) error {
	if err := r.do(ctx, http.MethodPut, "/connectors/"+name+"/"+what, nil, nil); err != nil {
		return fmt.Errorf("%s of %s: %w", what, name, err)
	}
	return r.awaitState(ctx, name, wanted, tasks)
}

func (r rest) pause(ctx context.Context, name string, tasks int) error {
	return r.change(ctx, name, "pause", "PAUSED", tasks)
}

func (r rest) resume(ctx context.Context, name string, tasks int) error {
	return r.change(ctx, name, "resume", "RUNNING", tasks)
}

func (r rest) stop(ctx context.Context, name string) error {
	return r.change(ctx, name, "stop", "STOPPED", 0)
}

func (r rest) remove(ctx context.Context, name string) error {
	return r.do(ctx, http.MethodDelete, "/connectors/"+name, nil, nil)
}

// offsets are a connector's, as the workers show them and take them.
type offsets struct {
	Offsets []offset `json:"offsets"`
}

type offset struct {
	Partition map[string]any `json:"partition"`
	Offset    map[string]any `json:"offset"` // nil: none
}
