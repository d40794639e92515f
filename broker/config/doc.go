// Package config owns what can be configured: the table of every broker, topic,
// group and client-metrics key of Apache Kafka 4.3.1 with type, default, valid
// values, importance and update mode; the parsing and validation of values, with
// Kafka's error texts; and which value is effective where several layers set one.
//
// It must not know where values come from (flags, a file, the metadata store) nor
// who acts on them. It keeps no state: [Parse] gives an immutable [Values], the
// dynamic layers are passed in with [Values.With].
//
// # Layers
//
// A broker key is looked up in this order, as Kafka's DynamicBrokerConfig does:
//
//  1. dynamic, for this broker (IncrementalAlterConfigs on a broker id)
//  2. dynamic, for all brokers (IncrementalAlterConfigs on the empty broker name)
//  3. static: properties file, flags, and the quick start's settings below them
//  4. Kafka's default
//
// A topic key is the topic's own override, or else the broker key that stands for
// it (segment.bytes is log.segment.bytes), looked up as above. Three of those have
// several units, of which the finest that is set counts: log.retention.ms,
// log.retention.minutes, log.retention.hours.
//
// # The tables
//
// table_*.go hold one row a key, by subject. A row's documentation is what
// DescribeConfigs and --help show. applied.go lists the broker keys that change
// what this broker does; setting any other known key is accepted with a warning.
// quickstart.go lists where a broker that is told nothing differs from Kafka's
// defaults.
package config
