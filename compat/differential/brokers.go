package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/integration/process"
)

// A broker is a fresh one, and how to end it.
type broker struct {
	addr string
	end  func() error
}

// controllerPort is how much higher than the broker's the port is on which
// compat/kafka/kafka lets its controller listen.
const controllerPort = 1000

// startKafka starts an Apache Kafka with nothing in it, through compat/kafka/kafka,
// which installs it if it has to.
func startKafka(ctx context.Context, work string) (broker, error) {
	tool := filepath.Join("compat", "kafka", "kafka")
	if _, err := os.Stat(tool); err != nil {
		return broker{}, fmt.Errorf("run this in the module's directory: %w", err)
	}
	var port int
	for {
		var err error
		if port, err = process.FreePort(); err != nil {
			return broker{}, err
		}
		if port+controllerPort > math.MaxUint16 {
			continue
		}
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port+controllerPort)))
		if err == nil {
			l.Close()
			break
		}
	}
	kafka := func(args ...string) error {
		cmd := exec.CommandContext(ctx, tool, args...)
		cmd.Env = append(os.Environ(), "KAFKA_STATE="+work)
		// A cancelled run still has to end its broker, and the tool is what does.
		if args[0] == "clean" {
			cmd = exec.Command(tool, args...)
			cmd.Env = append(os.Environ(), "KAFKA_STATE="+work)
		}
		// The node inherits the tool's output and outlives it: a pipe would be
		// waited for.
		log, err := os.OpenFile(filepath.Join(work, "kafka.log"), os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
		if err != nil {
			return err
		}
		defer log.Close()
		cmd.Stdout, cmd.Stderr = log, log
		if err := cmd.Run(); err != nil {
			out, _ := os.ReadFile(log.Name())
			return fmt.Errorf("%s %s: %w\n%s", tool, args[0], err, out)
		}
		return nil
	}
	if err := kafka("install"); err != nil {
		return broker{}, err
	}
	number := strconv.Itoa(port)
	if err := kafka("start", number); err != nil {
		return broker{}, errors.Join(err, kafka("clean", number))
	}
	return broker{net.JoinHostPort("127.0.0.1", number), func() error { return kafka("clean", number) }}, nil
}

// startBlumfeld builds and starts the broker of this module.
func startBlumfeld(ctx context.Context, work string) (broker, error) {
	binary, err := process.Build(ctx, work)
	if err != nil {
		return broker{}, err
	}
	port, err := process.FreePort()
	if err != nil {
		return broker{}, err
	}
	starting, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	b, err := process.Start(starting, process.Options{Binary: binary, Dir: filepath.Join(work, "data"), Port: port})
	if err != nil {
		return broker{}, err
	}
	return broker{b.Addr(), func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		code, err := b.Stop(ctx)
		if err == nil && code != 0 {
			err = fmt.Errorf("exit code %d:\n%s", code, b.Stderr())
		}
		return err
	}}, nil
}

// served asks a broker which keys and versions it advertises.
func served(addr string) (map[int16][2]int16, error) {
	c, err := dial(addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	req := kmsg.NewPtrApiVersionsRequest()
	if err := c.send(req); err != nil {
		return nil, err
	}
	fields, response, err := c.answer(newSymbols("", time.Now()), patience)
	if err != nil {
		return nil, err
	}
	if response == nil {
		return nil, fmt.Errorf("ApiVersions: %s", fields)
	}
	all := make(map[int16][2]int16)
	for _, k := range response.(*kmsg.ApiVersionsResponse).ApiKeys {
		all[k.ApiKey] = [2]int16{k.MinVersion, k.MaxVersion}
	}
	return all, nil
}
