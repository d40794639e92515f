// Package batch is a view over record batches of format v2 (magic 2, KIP-98):
// the unit in which Kafka moves, stores and checks records.
//
// A Batch is its wire bytes, and those are its bytes on disk: nothing here
// decodes a batch into a structure to encode it again. A leader validates a
// producer's batch once, stamps offset and leader epoch into it in place (both
// lie outside the checksum) and writes it; everybody after that compares the
// checksum at most.
//
// The room owns the format: header fields, CRC-32C, the records inside, the
// four compression codecs, and the rules of Kafka's DefaultRecordBatch and
// LogValidator. It must not know topics, partitions, files, requests or
// configuration: what a rule depends on comes in with RecordRules.
//
// Bytes come from sockets and files and may be hostile. No function panics on
// any content, and none allocates by a number it read: records are walked in
// place, and compressed ones through a small window that does not grow with
// what they expand to.
package batch
