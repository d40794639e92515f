package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"blumfeld/compat/kafka"
	"blumfeld/integration/process"
)

// broker is one that a case has started itself, and may kill and start again.
type broker interface {
	Addr() string
	start(ctx context.Context) error
	kill(ctx context.Context) error
	stop() error
}

// startBroker starts a broker of the sort that is looked at; it ends with the lane.
func (l *lane) startBroker(ctx context.Context, name string) (broker, error) {
	if l.apache {
		return l.startKafka(ctx)
	}
	binary, err := l.compile()
	if err != nil {
		return nil, err
	}
	port, err := process.FreePort()
	if err != nil {
		return nil, err
	}
	return l.started(ctx, &blumfeld{options: process.Options{Binary: binary, Dir: l.path(name), Port: port}})
}

func (l *lane) startKafka(ctx context.Context) (broker, error) {
	port, err := kafkaPort()
	if err != nil {
		return nil, err
	}
	return l.started(ctx, &apacheKafka{node: kafka.Node{Port: port, State: l.dir}})
}

func (l *lane) started(ctx context.Context, b broker) (broker, error) {
	if err := b.start(ctx); err != nil {
		return nil, err
	}
	l.atEnd(b.stop)
	return b, nil
}

// kafkaPort is a free port whose thousandth successor, which is the controller's, is free too.
func kafkaPort() (int, error) {
	for range 100 {
		port, err := process.FreePort()
		if err != nil {
			return 0, err
		}
		if port < 64_000 {
			return port, nil
		}
	}
	return 0, errors.New("no free port below 64000")
}

type blumfeld struct {
	options process.Options
	process *process.Broker
}

func (b *blumfeld) Addr() string { return b.options.Addr() }

func (b *blumfeld) start(ctx context.Context) (err error) {
	b.process, err = process.Start(ctx, b.options)
	return err
}

func (b *blumfeld) kill(context.Context) error { return b.process.Kill() }

func (b *blumfeld) stop() error {
	select {
	case <-b.process.Exited():
		return fmt.Errorf("the broker has ended:\n%s", b.process.Stderr())
	default:
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	code, err := b.process.Stop(ctx)
	if err == nil && code != 0 {
		err = fmt.Errorf("the broker's exit code is %d:\n%s", code, b.process.Stderr())
	}
	return err
}

type apacheKafka struct{ node kafka.Node }

func (b *apacheKafka) Addr() string { return process.Options{Port: b.node.Port}.Addr() }

func (b *apacheKafka) start(ctx context.Context) error { return b.node.Start(ctx) }

func (b *apacheKafka) kill(ctx context.Context) error { return b.node.Kill(ctx) }

func (b *apacheKafka) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return b.node.Stop(ctx)
}
