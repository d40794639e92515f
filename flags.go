package main

import (
	"fmt"
	"log/slog"
	"maps"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"blumfeld/broker"
	"blumfeld/broker/config"
)

// options is what the command line says.
type options struct {
	command    string   // "": run a broker
	args       []string // of the command
	properties config.Properties
	trace      string
	debug      string // address
	logLevel   slog.Level
}

// propertyFlags are the properties that have a flag of their own, named like the
// property with dashes for dots.
func propertyFlags() []string {
	return []string{
		"listeners", "advertised.listeners", "log.dirs", "metadata.log.dir", "node.id",
		"num.partitions", "auto.create.topics.enable", "message.max.bytes",
		"log.retention.ms", "log.retention.bytes", "log.segment.bytes",
	}
}

// flags is the set of flags and where their values go.
type flags struct {
	*pflag.FlagSet
	overrides []string
	file      string
	trace     string
	debug     string
	level     string
	own       map[string]*string // by property
}

func newFlags(getenv func(string) string) *flags {
	f := &flags{FlagSet: pflag.NewFlagSet("blumfeld", pflag.ContinueOnError), own: make(map[string]*string)}
	f.SortFlags = false
	f.Usage = func() {}
	defaults, _, _ := config.Parse(config.Properties{"log.dirs": broker.DefaultLogDir(getenv)})
	for _, key := range propertyFlags() {
		d, ok := config.BrokerDefs().Lookup(key)
		if !ok {
			panic("no property " + key)
		}
		value, _ := defaults.Lookup(key)
		f.own[key] = f.String(strings.ReplaceAll(key, ".", "-"), value, d.Doc)
	}
	f.StringArrayVar(&f.overrides, "override", nil, "set any broker property, key=value; repeatable")
	f.StringVar(&f.file, "config", "", "read broker properties from this file, as kafka-server-start does; flags win over it")
	f.StringVar(&f.trace, "trace", "", `print requests and responses as JSON, a line each: "all", or names of APIs, as in "Produce,Fetch"`)
	f.StringVar(&f.debug, "debug-address", "", "serve Go's profiles (processor, heap, mutexes, blocking) at this host:port, to whoever can reach it")
	f.StringVar(&f.level, "log-level", "warn", "log messages from this level on: debug, info, warn, error")
	return f
}

// parse reads the command line. Later sources win: defaults, --config, the
// properties' own flags, --override.
func parse(args []string, getenv func(string) string) (options, error) {
	f := newFlags(getenv)
	if err := f.Parse(args); err != nil {
		return options{}, err
	}
	o := options{trace: f.trace, debug: f.debug, properties: config.Properties{}}
	if f.NArg() > 0 {
		o.command, o.args = f.Arg(0), f.Args()[1:]
		if err := checkCommand(o.command, o.args); err != nil {
			return options{}, err
		}
	}
	if err := o.logLevel.UnmarshalText([]byte(f.level)); err != nil {
		return options{}, fmt.Errorf("--log-level: %w", err)
	}
	if f.file != "" {
		given, err := readProperties(f.file)
		if err != nil {
			return options{}, err
		}
		maps.Copy(o.properties, given)
	}
	for key, value := range f.own {
		if f.Changed(strings.ReplaceAll(key, ".", "-")) {
			o.properties[key] = *value
		}
	}
	for _, arg := range f.overrides {
		key, value, err := config.ParseOverride(arg)
		if err != nil {
			return options{}, err
		}
		o.properties[key] = value
	}
	if o.properties["log.dirs"] == "" && o.properties["log.dir"] == "" {
		o.properties["log.dirs"] = broker.DefaultLogDir(getenv)
	}
	return o, nil
}

func readProperties(path string) (config.Properties, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("--config: %w", err)
	}
	defer file.Close()
	given, err := config.ReadProperties(file)
	if err != nil {
		return nil, fmt.Errorf("--config %s: %w", path, err)
	}
	return given, nil
}

func usage() string {
	return `Blumfeld, a Kafka broker in one binary.

usage: blumfeld [flags]                 run a broker
` + commandUsage() + `
Every setting is a Kafka broker property. These have flags of their own:

` + newFlags(os.Getenv).FlagUsagesWrapped(100)
}
