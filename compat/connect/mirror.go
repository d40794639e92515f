package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"blumfeld/integration/process"
)

// side is one of two clusters.
type side struct {
	alias string // as MirrorMaker calls it
	addr  string
}

// direction is a mirror of one side on the other.
type direction struct {
	from, to side
	policy   func(topic string) string // how a topic is called on the other side
}

func (d direction) String() string { return d.from.alias + "->" + d.to.alias }

// under is the default policy: the name of the side where a topic comes from before its own.
func (s side) under(topic string) string { return s.alias + "." + topic }

// mirror is a MirrorMaker between an Apache Kafka of its own and the broker that is looked at.
type mirror struct {
	theirs, ours side
	stem         string // of the topics and groups that it mirrors
	worker       *worker
}

// newMirror starts an Apache Kafka, unless there is one, and makes a MirrorMaker that was not started yet.
func (l *lane) newMirror(theirs, name string, more properties) (*mirror, error) {
	port, err := process.FreePort()
	if err != nil {
		return nil, err
	}
	stem := l.name(name)
	m := &mirror{theirs: side{"theirs-" + stem, theirs}, ours: side{"ours-" + stem, l.addr}, stem: stem}
	p := properties{
		"clusters": m.theirs.alias + "," + m.ours.alias,
		// Where workers of one MirrorMaker find each other, and for exactly once this one itself.
		"dedicated.mode.enable.internal.rest": "true",
		"listeners":                           fmt.Sprintf("http://127.0.0.1:%d", port),
		"task.shutdown.graceful.timeout.ms":   "20000",
		"tasks.max":                           "2",
		"topics":                              stem + ".*",
		"groups":                              stem + ".*",
		"refresh.topics.interval.seconds":     "1",
		"refresh.groups.interval.seconds":     "1",
		"sync.topic.configs.interval.seconds": "1",
		"sync.topic.acls.interval.seconds":    "1",
		"emit.heartbeats.interval.seconds":    "1",
		"emit.checkpoints.interval.seconds":   "1",
		"sync.group.offsets.enabled":          "true",
		"sync.group.offsets.interval.seconds": "1",
		"offset.lag.max":                      "0", // so that the end of a log is translated exactly
	}
	for _, key := range []string{"plugin.path", "plugin.discovery"} {
		p[key] = common("", 0)[key]
	}
	for _, s := range []side{m.theirs, m.ours} {
		for key, value := range common(s.addr, port) {
			if key != "listeners" && key != "task.shutdown.graceful.timeout.ms" && key != "key.converter" && key != "value.converter" {
				p[s.alias+"."+key] = value
			}
		}
		p[s.alias+".session.timeout.ms"] = "6000"
		p[s.alias+".heartbeat.interval.ms"] = "500"
		p[s.alias+".scheduled.rebalance.max.delay.ms"] = "1000"
	}
	for _, topic := range []string{"replication", "checkpoints.topic.replication", "heartbeats.topic.replication", "offset-syncs.topic.replication",
		"offset.storage.replication", "status.storage.replication", "config.storage.replication"} {
		p[topic+".factor"] = "1"
	}
	p["offset.storage.partitions"], p["status.storage.partitions"] = "3", "2"
	for key, value := range more {
		// theirs and ours stand for the names of the sides.
		p[strings.NewReplacer("theirs", m.theirs.alias, "ours", m.ours.alias).Replace(key)] = value
	}
	file, err := l.write(stem, p)
	if err != nil {
		return nil, err
	}
	m.worker = l.newWorker(stem, "connect-mirror-maker", port, file)
	return m, nil
}

func (m *mirror) there() direction { return direction{m.theirs, m.ours, m.theirs.under} }

func (m *mirror) back() direction { return direction{m.ours, m.theirs, m.ours.under} }

// topic is a name on either side that is mirrored.
func (m *mirror) topic(name string) string { return m.stem + "-" + name }

// startedOnce starts a mirror when the first of its cases wants it.
type startedOnce struct {
	start  func(context.Context) (*mirror, error)
	m      *mirror
	failed error
}

// with makes a case of work that needs the mirror.
func (s *startedOnce) with(work func(context.Context, *mirror) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if s.m == nil && s.failed == nil {
			s.m, s.failed = s.start(ctx)
		}
		if s.failed != nil {
			return fmt.Errorf("starting MirrorMaker: %w", s.failed)
		}
		return withLog(work(ctx, s.m), s.m.worker)
	}
}

// mirrors are the cases of MirrorMaker 2: one that runs both ways at once, and one that moves.
func mirrors(ctx context.Context, l *lane) {
	both := &startedOnce{start: l.startMirrors}
	for _, way := range []struct {
		name string
		of   func(*mirror) direction
	}{{"to", (*mirror).there}, {"back", (*mirror).back}} {
		for _, c := range []struct {
			name string
			work func(context.Context, *mirror, direction) error
		}{
			{"records", mirrorsRecords},
			{"configs", mirrorsConfigs},
			{"partitions", mirrorsPartitions},
			{"offsets", translatesOffsets},
			{"heartbeats", beats},
		} {
			l.run(ctx, "mirror/"+c.name+"-"+way.name, both.with(func(ctx context.Context, m *mirror) error { return c.work(ctx, m, way.of(m)) }))
		}
	}
	l.run(ctx, "mirror/no-acls", both.with(findsNoAuthorizer))
	l.close()

	move := &startedOnce{start: l.startMove}
	l.run(ctx, "mirror/once-killed", move.with(mirrorsOnce))
	l.run(ctx, "mirror/once-offsets", move.with(func(ctx context.Context, m *mirror) error { return translatesOffsets(ctx, m, m.move()) }))
}

// startMirrors fills both sides and starts the mirror between them.
func (l *lane) startMirrors(ctx context.Context) (*mirror, error) {
	theirs, err := l.startKafka(ctx)
	if err != nil {
		return nil, err
	}
	m, err := l.newMirror(theirs.Addr(), "mirror", properties{
		"theirs->ours.enabled": "true", "ours->theirs.enabled": "true",
		"theirs.producer.compression.type": "zstd", "ours.producer.compression.type": "zstd",
	})
	if err != nil {
		return nil, err
	}
	for _, d := range []direction{m.there(), m.back()} {
		if err := fill(ctx, m, d); err != nil {
			return nil, fmt.Errorf("filling %s: %w", d.from.alias, err)
		}
	}
	return m, m.worker.start()
}

// findsNoAuthorizer: of a broker without an authorizer MirrorMaker hears that security is disabled, and goes on. It says
// so for each of its two directions.
func findsNoAuthorizer(ctx context.Context, m *mirror) error {
	return await(ctx, func() error {
		log, err := os.ReadFile(m.worker.log)
		if err != nil {
			return err
		}
		if said := strings.Count(string(log), "No ACL authorizer is configured on the source Kafka cluster"); said < 2 {
			return fmt.Errorf("MirrorMaker has said %d times that there is no authorizer", said)
		}
		return nil
	})
}
