// Package logstore keeps the records of partitions in files: segments with their indexes, leader epochs, producer
// state; it recovers them after a crash, and lets go of them when they are old.
//
// A [Dir] is one log directory, a [Log] in it is one partition, a [Slice] is a run of batches on its way to a reader.
package logstore
