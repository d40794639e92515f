// Package markers writes the control records that end transactions: to the logs of partitions, as their leader, and to
// the group coordinator for offsets that a transaction has committed. It owns the attempts that are under way, and
// nothing that outlives the process: what was not written when it ends, the transaction coordinator sends again. It must
// not know transactional ids, their states, or requests and connections.
//
// # Shape
//
// [Writer.WriteMarkers] hands an attempt to a goroutine and returns. There are at most [maxAttempts] of these, which end
// when there is nothing to do; more attempts wait in order. A transactional id has one attempt under way at a time, so
// there are no more waiting than ids with a decided transaction.
//
// An attempt appends to all logs and asks for all groups first, and then waits: for disks where flush.messages asks for
// that, for the replicas in sync, and for the store in which the groups' offsets are. So one that touches many partitions
// takes as long as the slowest of them. [Writer.Write] does the same for who waits, as a broker's WriteTxnMarkers does.
//
// # Who leads
//
// Of a cluster's partitions this one broker leads all, or they have no leader. NOT_LEADER_OR_FOLLOWER is not final:
// partitions of an attempt that others lead belong into a WriteTxnMarkers to each of them, with the same answer for each
// partition, and the attempt ends when all have answered.
package markers
