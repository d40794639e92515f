// Package process owns the Blumfeld binary as its users meet it: it builds it,
// starts it on a directory and a port, waits until it answers, kills it, stops
// it, and reads what it cost. The end-to-end tests, the benchmarks and the
// compat runs share it.
//
// It must not know what a broker is started for, nor anything of the broker's
// packages: only command line, exit code, output and the Kafka protocol cross
// the border. Of the protocol it speaks ApiVersions alone, to learn whether a
// broker answers, Apache Kafka included.
package process
