// Package txn coordinates transactions: which producer id and epoch a transactional id has, which partitions its
// transaction has touched, whether it is decided and how, and that every leader hears of it. It owns the state of
// transactional ids; the truth lies in a [controller.Store]. It must not know logs, groups, connections or the wire
// format of requests.
//
// # Shape
//
// A [Coordinator] hands each request to a shard: a [shard.Loop] with a core that owns transactional ids and runs their
// state machines. A flight is a transaction of the store with the changes of as many ids as fit. A reply leaves after the
// flight that stores what it tells. There is one shard, as package group has: each would have a flight of its own, and the
// store applies one after the other.
//
// machine is pure: step(event, now) changes it and returns effects: replies to send, a record to store, markers to write.
// Markers are written by a [MarkerWriter], and again until each leader took them.
//
// # States
//
// They are those of Kafka's TransactionCoordinator and TransactionMetadata in 4.3.1, and so are the errors. The old
// protocol is that of EndTxn before version 5; the new one is KIP-890's (transaction.version 2), in which every end bumps
// the epoch. Which one, each request says by its version; aborts that no client asked for go by the feature's level.
//
// Empty: there is a producer id and an epoch, and no transaction since InitProducerId.
//   - AddPartitionsToTxn, AddOffsetsToTxn => Ongoing.
//   - InitProducerId: stays; the epoch is bumped, or, when the epochs are used up (32766 is the last that a producer gets),
//     there is a new producer id at epoch 0. A producer that names the epoch before the last bump retries, and gets the
//     present one.
//   - EndTxn, old: INVALID_TXN_STATE. New: an abort => PrepareAbort, for the producer may have begun what the coordinator
//     has not heard of; a commit INVALID_TXN_STATE.
//   - transactional.id.expiration.ms after the last change => Dead.
//
// Ongoing: a transaction is open.
//   - AddPartitionsToTxn, AddOffsetsToTxn: stays; what is in it already needs no write.
//   - EndTxn => PrepareCommit or PrepareAbort; with the new protocol the epoch is bumped, and if it was the last, the
//     answer names a new producer id.
//   - InitProducerId => PrepareAbort, under an epoch that nobody has; CONCURRENT_TRANSACTIONS, the client comes again.
//   - the producer's timeout, looked at every transaction.abort.timed.out.transaction.cleanup.interval.ms => PrepareAbort,
//     likewise.
//
// PrepareCommit, PrepareAbort: it is decided and stored; the markers are on their way.
//   - all requests: CONCURRENT_TRANSACTIONS, EndTxn of either decision too, for it may be about the next transaction. The
//     new protocol's EndTxn gets it whoever asks.
//   - the last leader has its marker => CompleteCommit or CompleteAbort. Partitions that were deleted need none.
//
// CompleteCommit, CompleteAbort: every leader has its marker.
//   - AddPartitionsToTxn, AddOffsetsToTxn => Ongoing. InitProducerId => Empty, as in Empty.
//   - EndTxn, old: the same decision again is accepted, the other INVALID_TXN_STATE. New: with the epoch before the bump
//     (or, if that was the last, the old producer id) it is a retry: the same decision is answered again, the other
//     INVALID_TXN_STATE. With the present epoch it is about the next transaction: an abort => PrepareAbort, a commit
//     INVALID_TXN_STATE.
//   - transactional.id.expiration.ms after the last change => Dead.
//
// Dead: the record is being removed. CONCURRENT_TRANSACTIONS; then the id is not known any more.
//
// PrepareEpochFence: Kafka's name for an Ongoing whose abort under a bumped epoch is about to be stored. Here that is one
// step, so that no machine is ever seen in it.
//
// While a change is on its way to the store, in all states: CONCURRENT_TRANSACTIONS to whatever is not refused for its
// producer. In all states: another producer id INVALID_PRODUCER_ID_MAPPING, as for an id that is not known; another epoch
// PRODUCER_FENCED (INVALID_PRODUCER_EPOCH to clients that do not know it: InitProducerId before version 4, others before
// 2). A verification changes nothing: TRANSACTION_ABORTABLE for partitions that are not in the transaction.
//
// # Keys
//
//	txns/owner/<shard>           who writes the ids of a shard, and the coordinator epoch
//	txns/t/<transactional id>    all about one transactional id
//
// The ownership key fences the shard (package shard says how); Start overwrites it. So a Coordinator that has been
// replaced writes nothing more, and answers NOT_COORDINATOR as soon as it finds out. What it knows may be old by then:
// so what is granted without a write (a partition that is in the transaction already, a verification, the retry of an
// end) waits until the store has confirmed the ownership, along with the next flight or by itself; only what it refuses
// may be wrong, and what Describe and List show. The coordinator epoch goes with every marker; it grows with each
// owner, and whenever a marker of an earlier attempt may still be on its way.
//
// # What a transaction costs
//
// Two transactions of the store, in both protocols: the first partition (each further one that is added by itself costs
// one more), and the decision. With offsets of a group it is five: the group becomes part of it, and package group
// stores what is pending and what becomes of it. Nobody waits for the record of the completion: whoever finds the
// decision in the store writes the markers again and comes to the same end. It goes along with a later flight, within a
// second, and mostly the record of the next transaction takes its place; so AddPartitionsToTxn need not wait for it
// either. A flight carries as many transactional ids as the store takes in one transaction; under load a Kafka
// transaction costs a small part of that: with 100 producers 1/30 on etcd, where BenchmarkTransaction has 13,000 a
// second on two cores, and 550 with one producer, who waits for two fsyncs.
//
// Each write is the whole record, up to 40 bytes and the partitions (1 to 3 bytes each, and their topics' names): n
// partitions added one by one write n*n/2 of them. A transaction whose partitions would not fit into a value is refused
// the last ones with UNKNOWN_SERVER_ERROR, as in Kafka when its log takes no such record; some 180,000 of one topic fit.
// In memory an id that is not in use takes about half a kilobyte until it expires.
//
// # When the store fails
//
// The outcome of a transaction may be unknown. All that waits gets COORDINATOR_NOT_AVAILABLE, and all ids are forgotten
// and read again, after the ownership key has been moved, so that the transaction, should it still be on its way, cannot
// come in behind. Until then requests get COORDINATOR_LOAD_IN_PROGRESS. It is the way of a restart: a decision that is
// found is carried out, an open transaction whose time is over is aborted.
//
// # Departures from Kafka
//
// A leader that answers INVALID_PRODUCER_EPOCH to a marker has settled it: Kafka stops there and leaves the transaction
// in its Prepare state until the coordinator moves. InitProducerId that retries the bump to the last epoch is answered
// with it; Kafka fails with UNKNOWN_SERVER_ERROR. Such a retry may come any number of times after a new producer id;
// Kafka takes the second for fenced. An abort that fences the last epoch ends with a new producer id whatever the
// feature's level; in Kafka only from level 2 on, below it a late EndTxn of version 5 was given an epoch that nothing
// can fence. A retry of EndTxn has to name the epoch before the last bump by EndTxn or a fence; Kafka takes one for it
// too that an InitProducerId of another producer fenced, if that other one ended a transaction by the old protocol
// since. Where Kafka answers COORDINATOR_LOAD_IN_PROGRESS until it has producer ids, we wait for them. Two-phase commit
// (KIP-939) has no version on the wire in 4.3.1, and nothing here.
package txn
