// Package kafkadir reads what a stopped Apache Kafka of one node left in its
// directories beside the partitions' logs: which topics there are, with ids and
// configurations, and what else (the KRaft metadata log and its newest snapshot),
// how far each group had read (__consumer_offsets), and what became of each
// producer's transaction (__transaction_state).
//
// The room owns the formats of those: the framing and schemas of KRaft's records,
// and the keys and values of the two topics.
// It must not know where a Blumfeld keeps the same things, and it writes nothing:
// it is handed file systems to read. The files of a partition's log are the same
// for both brokers; reading those is logstore's.
//
// Everything read is checked: a batch that is cut off or whose checksum is wrong
// is an error that names file and position. Only what a crash leaves at the very
// end of a log, an unfinished batch, is passed over.
package kafkadir
