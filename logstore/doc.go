// Package logstore keeps the records of partitions in files: segments with their indexes, leader epochs, producer
// state; it recovers them after a crash, and lets go of them when they are old.
//
// A [Dir] is one log directory, a [Log] in it is one partition, a [Slice] is a run of batches on its way to a reader.
//
// The room owns what is in the files of a log directory. It must not know what a topic's metadata says, who leads a
// partition, which replicas are in sync, or who reads: it is told configurations, leader epochs and high watermarks.
// All its file access goes through [blumfeld/logstore/vfs]; what a batch is it learns from
// [blumfeld/protocol/batch], and what compaction leaves of it from [blumfeld/logstore/compact].
//
// # Files
//
// Names and layouts are Apache Kafka's, whose tools read a directory of ours, and the other way round.
// Integers are big-endian.
//
//	<dir>/.lock                              flock of the process that has the directory
//	<dir>/meta.properties                    node.id, cluster.id, directory.id, version=1
//	<dir>/.kafka_cleanshutdown               there after Close, gone before the first change
//	<dir>/recovery-point-offset-checkpoint   per log: everything below is on disk
//	<dir>/log-start-offset-checkpoint        per log: where it begins
//	<dir>/replication-offset-checkpoint      per log: its high watermark
//	<dir>/cleaner-offset-checkpoint          per compacted log: where its dirty part begins
//	<dir>/<topic>-<partition>/               a log; with .<id>-delete on its way out, with .<id>-stray unclaimed
//	                                         and with .<id>-future on its way in from another directory; see future.go
//	  <base offset, 20 digits>.log           record batches as they travel, back to back
//	  <base>.index                           (last offset of a batch - base) int32, its position int32
//	  <base>.timeindex                       largest timestamp so far int64, (last offset of its batch - base) int32
//	  <base>.txnindex                        aborted transactions whose markers are in the .log; see txnindex.go
//	  <offset>.snapshot                      producer state before that offset; see snapshot.go
//	  leader-epoch-checkpoint                per epoch: its first offset
//	  partition.metadata                     the topic's id
//	  *.deleted, *.tmp                       leftovers of deletion and atomic replacement; removed on opening
//	  *.cleaned, *.swap                      what compaction has made, before and after it counts; see swap.go
//
// An index has an entry for the first batch behind every index.interval.bytes. A .log may have blocks preallocated
// behind its end, in steps that grow with it; its length is always that of its batches.
//
// # Invariants
//
//   - A batch is in the log, for readers and for recovery, or it is not: one pwrite puts it there, and a write that
//     fails is cut off again before anybody is told. LogEnd moves when the bytes are written, never sooner.
//   - A segment begins where the last batch of the one before ends; compaction keeps that batch, if only as a header.
//     (Kafka's does not always, so directories of its make may have gaps there.)
//   - Recovery point: batches, index entries, epochs, producer snapshots and file names that it covers are on disk
//     before it moves, and nothing that it covers is ever rewritten unless it is moved back, on disk, first.
//     Recovery trusts what is below and reads what is above. So its work is what was appended since the last flush.
//   - After a clean stop nothing is read but the last few KiB of each log and its transaction indexes, if it has any, and
//     nothing is synced or written; the clean-shutdown marker stays until the first change.
//   - Readers of committed data are never given what was aborted: a segment's transaction index is there before the last
//     stable offset passes the marker, stays as long as there is data that the marker is about, and is made again from the
//     batches where a crash took it, or where it cannot be right.
//   - A Slice's bytes never change and never vanish while it is held: files are shared by reference count, removed
//     by name only, and replaced by a copy where truncation meets a reader.
//   - Mappings are handed out only for what was written lately; Go code never touches a mapped page itself. Indexes
//     are read by pread, their newest entries from memory. A file that somebody cuts is an error, never a fault.
//   - A batch that this process has not written is held against its checksum before it is served for the first time;
//     see verify.go.
//   - A log that nobody uses for a minute or two has no open file and no mapping, and never a goroutine. How many files
//     and mappings there are is bounded, by [OpenFiles]. A directory has one goroutine (see worker.go).
//   - Nothing read from a file is trusted for its size: allocation is bounded by the length of the file, and for
//     small files by a constant.
//
// # Transactions
//
// A [Marker] ends a transaction, and so does nothing else; who decides about it is elsewhere. What the log knows is what
// its batches say: which transactions are open, from where on, and how those have ended whose markers it has. The first
// batch of a transaction is taken only with a [Verification]: see verification.go. The last stable offset is in stable.go.
// A transaction whose first records were deleted is still open; its marker is awaited, but the last stable offset is not
// below the start of the log.
//
// # Errors
//
// What a client shows wraps a kerr sentinel. A full disk, and the reserved space before it, refuse appends with
// [ErrNoRoom] until there is room again. Any other failure to read or write takes the Dir offline, with
// [ErrOffline], and no other Dir. Both, and [ErrClosed], come with kerr.KafkaStorageError. Bytes that are not what was
// written are kerr.CorruptMessage for who asks for them, and one line in the log with file and position.
//
// # Concurrency
//
// One writer lock a log (Log.mu); readers find their way through atomics and short locks. Lock order:
//
//	Log.cleanMu    one cleaning at a time, for as long as it takes; who closes or deletes the log makes it end first
//	Log.flushes    those who wait for a flush stand here, without a lock; one of them goes on
//	Log.flushMu    one flush, truncation, swap or deletion at a time; may be held over a sync
//	Log.mu         the writer; not held over a sync, but for the copy in segment.truncate
//	segment.mu     sizes, indexes, handles of one segment; not held over reads of records
//	OpenFiles.mu   which segments have open files; segments' mu are only tried under it
//	handle.mu, room.mu, worker.mu, groupCommit.mu, Log.hwMu, epochCache.mu, Dir.mu    leaves
//
// Dir.checkpointMu, Dir.beginMu, Dir.metaMu and Dir.nameMu are held over the syncs that they are about; of these a
// checkpoint may be written under Log.flushMu, and none is taken under Log.mu but beginMu, once, by a log's first
// change.
package logstore
