// Package integration owns the tests that look at Blumfeld from outside: the
// binary as users run it, and the source as a whole, whose import directions
// and package docs it holds to the map.
//
// It must not know how any room works inside: it starts processes (package
// process), speaks Kafka to them with a client, and reads what go list says.
package integration
