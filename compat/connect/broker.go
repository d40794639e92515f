package main

import (
	"context"

	"blumfeld/compat/broker"
)

// startBroker starts a broker of the sort that is looked at; it ends with the lane.
func (l *lane) startBroker(ctx context.Context, name string) (broker.Broker, error) {
	if l.apache {
		return l.startKafka(ctx)
	}
	binary, err := l.compile()
	if err != nil {
		return nil, err
	}
	b, err := broker.Blumfeld(binary, l.path(name))
	if err != nil {
		return nil, err
	}
	return b, l.start(ctx, b)
}

func (l *lane) startKafka(ctx context.Context) (broker.Broker, error) {
	b, err := broker.Kafka(l.dir)
	if err != nil {
		return nil, err
	}
	return b, l.start(ctx, b)
}

func (l *lane) start(ctx context.Context, b broker.Broker) error {
	if err := b.Start(ctx); err != nil {
		return err
	}
	l.atEnd(b.Stop)
	return nil
}
