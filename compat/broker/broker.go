// Package broker runs brokers that a case has to itself and may kill: Blumfeld, and
// Apache Kafka, which shows what is right. A broker comes back with its data, at its
// address.
//
// It owns that the two are handled alike. It must not know what they are started for.
package broker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"blumfeld/compat/kafka"
	"blumfeld/integration/process"
)

// stopWithin is how long an orderly end may take.
const stopWithin = time.Minute

// Broker is one of either sort. Its methods are called one at a time.
type Broker interface {
	Addr() string                // host:port, also before Start
	Start(context.Context) error // returns when it serves
	Kill(context.Context) error  // as a crash would
	Stop() error                 // in order; that it has ended by itself is an error
}

// Blumfeld is a broker of that binary whose log directory is dir, not started yet. properties are key=value.
func Blumfeld(binary, dir string, properties ...string) (Broker, error) {
	port, err := process.FreePort()
	if err != nil {
		return nil, err
	}
	o := process.Options{Binary: binary, Dir: dir, Port: port}
	for _, p := range properties {
		o.Args = append(o.Args, "--override", p)
	}
	return &blumfeld{options: o}, nil
}

// Kafka is an Apache Kafka that keeps its data below dir, not started yet. properties are key=value.
func Kafka(dir string, properties ...string) (Broker, error) {
	port, err := KafkaPort()
	if err != nil {
		return nil, err
	}
	return &apacheKafka{kafka.Node{Port: port, State: dir}, properties}, nil
}

// KafkaPort is a free port whose thousandth successor, which is that of Apache Kafka's controller, is a port too.
func KafkaPort() (int, error) {
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
	running *process.Broker // nil: it did not start
}

func (b *blumfeld) Addr() string { return b.options.Addr() }

func (b *blumfeld) Start(ctx context.Context) (err error) {
	b.running, err = process.Start(ctx, b.options)
	return err
}

func (b *blumfeld) Kill(context.Context) error { return b.running.Kill() }

func (b *blumfeld) Stop() error {
	if b.running == nil {
		return nil // which Start has told
	}
	select {
	case <-b.running.Exited():
		return fmt.Errorf("the broker has ended:\n%s", b.running.Stderr())
	default:
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	code, err := b.running.Stop(ctx)
	if err == nil && code != 0 {
		err = fmt.Errorf("the broker's exit code is %d:\n%s", code, b.running.Stderr())
	}
	return err
}

type apacheKafka struct {
	node       kafka.Node
	properties []string
}

func (k *apacheKafka) Addr() string { return process.Options{Port: k.node.Port}.Addr() }

func (k *apacheKafka) Start(ctx context.Context) error { return k.node.Start(ctx, k.properties...) }

func (k *apacheKafka) Kill(ctx context.Context) error { return k.node.Kill(ctx) }

func (k *apacheKafka) Stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	return k.node.Stop(ctx)
}
