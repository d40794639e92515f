// Package replica owns the partitions that this broker hosts, as memory that
// can be rebuilt from the logs on disk and the metadata image: who leads, which
// replicas are in sync, how far each has copied, and therefore the high
// watermark; and it owns the waiting of those who need more data or a commit.
//
// It must not know the wire: requests, responses, connections and client ids
// are broker/api's and broker's. It must not decide metadata either: it applies
// the images that the controller publishes and proposes changes to it.
//
// # Types
//
// [Set] is the registry: topic and number to [Partition]. It applies an image
// (creates, deletes and reconfigures partitions) and only then publishes it, so
// that whoever reads [Set.Image] finds every partition of it serving. Kafka
// lists a partition before its leader serves; a record sent with acks=0 in
// between vanishes. Ours is announced once it serves.
//
// [Partition] is one replica's state machine around one [logstore.Log]. Its
// writes go through [Partition.Append] and [Partition.AppendMarker], its reads
// through [Partition.Fetch].
//
// [Waiter] stands in one place for a request that waits on many partitions. An
// append adds the bytes that became visible to each waiter of that partition: a
// constant amount of work for each, and no reading.
//
// [Housekeeper] runs what must be done now and then: retention, checkpoints.
// [Cleaners] compact logs whenever there is something to compact.
// [Set.Move] has a replica go to another directory, by a goroutine of the Set's.
//
// # Locks
//
// Set.applying, Set.moving, Set.mu, Partition.mu, then what the log locks inside.
// Partition.hw is taken below Partition.mu, and waiters are signalled below
// Partition.hw; a Waiter takes no lock. Who holds the first two may wait for a
// move to end, which takes neither. No lock here is held across the network, the metadata
// store or fsync: logs are opened, deleted and flushed outside all of them.
package replica
