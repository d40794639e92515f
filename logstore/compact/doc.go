// Package compact decides what compaction (cleanup.policy=compact) leaves of a log: which part of it is dirty and may
// be cleaned, which segments become one, which records and batches stay.
//
// The room owns the rules of Kafka's LogCleaner and LogCleanerManager, and the map from keys to offsets while a
// cleaning runs. It must not know files: it is shown sizes, offsets, timestamps and batches, and changes nothing.
// Except for the memory of [OffsetMap] everything here is a pure function or a state machine that batches are fed to.
//
// # A cleaning
//
// A log has a clean part, which an earlier cleaning left, and a dirty part behind it. [State.Plan] says how much of it
// may be cleaned now and how dirty that is. The keys of the dirty part go into an [OffsetMap], as many as it takes:
// from there on the rest waits for the next cleaning. Then all segments below that offset are read again, in groups
// ([Group]) that each become one segment, and [Retention] says for each batch what stays of it: the last record of each
// key, tombstones and transaction markers for delete.retention.ms longer than that, nothing of aborted transactions.
package compact
