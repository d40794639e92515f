// Package etcd is controller.Store on an embedded etcd: one member of a cluster of voters, in this process. It is the
// only package that imports etcd, and it must not know what the keys mean.
//
// # No ports
//
// The member is an etcdserver.EtcdServer without the listeners that package embed puts around it: requests are method
// calls, a watch reads from the server's own watch stream. One member has no peers and listens nowhere. Its peer
// address is recorded in the membership all the same, because a cluster grows by telling new members where the old ones
// are; it can be changed before that happens.
//
// # Elected at once, then idle
//
// A raft member waits for an election timeout before it stands, and a short timeout means many ticks: 10/50 ms cost
// 0.012 of a core for nothing. A lone voter need not wait. It is sent the message that a leader sends when it hands
// over (MsgTimeoutNow), as soon as its log is applied: it stands, votes for itself, and leads within a millisecond, so
// that its ticks can be long.
//
// # At most once
//
// A lone voter commits what it was given or dies; its calls wait, and there are no second attempts. Among several an
// attempt whose leader is gone is never answered, and may still be committed later. There each transaction also writes
// a token: a key of this package's own (they begin with a zero byte, which no other key does) that one caller at a time
// holds. The transaction compares the token's revision and replaces its value, so that of all attempts of one
// transaction at most one takes effect, and a failed compare that was caused by an earlier attempt is recognised as
// success. The token doubles what a transaction of one key costs, which is why a lone voter does without.
//
// # What bounds a restart
//
// A restart reads the write-ahead log and the index of all revisions that the database holds. Both are bounded by the
// number of writes, not by time: raft snapshots every snapshotEntries, segments of segmentBytes, those that are not
// needed any more deleted at once (etcd waits for 30 s), and a compaction every compactEvery revisions. Compaction is
// asked to be quick: etcd's default pace falls behind the writes.
//
// # When it fails
//
// etcd ends the process on what it takes for hopeless: a log that cannot be written or does not check, a disk that is
// full. While a member is being opened such an end is caught, and Open returns an error with the one line that says
// why; so do files that fail the checks that are made before (a truncated database would otherwise be a fault in a
// goroutine of bbolt's). An Open that failed in this way leaks what etcd had allocated: the process is about to end.
//
// After that nothing can be caught: the goroutine that meets the fault holds etcd's locks. Options.OnFatal is called
// with the reason, prints one line by default, and the process exits with status 1. What remains is a panic in code
// that does not go through etcd's logger (bbolt's assertions on a damaged page), which ends the process with Go's own
// trace.
//
// A database that reaches its quota is not such a case: the store compacts, defragments, disarms etcd's alarm and
// retries; only if that does not help does a write fail with controller.ErrNoSpace, and the next one tries again.
package etcd
