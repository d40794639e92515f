// Package group coordinates groups: who is a member, which generation it is, what each member was assigned, and how far
// a group has read. The truth lies in a [controller.Store]; this package decides what may change there. It must not know
// partitions' data, connections or the wire format of requests.
//
// # Shape
//
// A [Coordinator] hands each request to a shard, by a hash of the group id; shardCount says why there are not many.
// A shard is a [shard.Loop] with a core that owns groups and runs their state machines. A flight is a transaction with the
// changes of as many groups as fit, or, if a single group's do not fit, several in a row; later changes take the place of
// earlier ones. A reply leaves after the flight that stores what it tells, and so does every later reply about the state
// of that group.
//
// machine is pure: step(event, now) changes it and returns effects, replies to send and snapshots to store. Offsets are
// not its business; it says whether a commit is allowed.
//
// # States
//
// They are those of Kafka's ClassicGroup, and so are the errors.
//
// Empty: no members; holds offsets until their retention is over. A group that only simple consumers use is Empty for
// ever.
//   - JoinGroup of a new member: parked => PreparingRebalance, which then lasts group.initial.rebalance.delay.ms, longer
//     while members come, at most the rebalance timeout. A dynamic member of JoinGroup v4 is first told its id
//     (MEMBER_ID_REQUIRED, KIP-394); nothing else changes.
//   - JoinGroup with an id that was given out: parked, as above. One that has expired is as any other id.
//   - JoinGroup with another id, SyncGroup, Heartbeat, commit with a generation: UNKNOWN_MEMBER_ID. LeaveGroup too, but
//     that an id that was given out is taken back.
//   - commit without a generation: accepted. Offset fetch is, in every state.
//   - DeleteGroups, or the end of the retention of its last offset => Dead.
//
// PreparingRebalance: gathers members; JoinGroup is parked.
//   - all members have joined, and all ids that were given out are used or have expired => CompletingRebalance. At the
//     rebalance timeout those that are missing are removed, unless they are static; if only static members are left and
//     none has come, it goes on until one does or their sessions end.
//   - nobody is left => Empty.
//   - JoinGroup of a member whose last one is parked takes its place, which is told REBALANCE_IN_PROGRESS; of a known
//     static member without its id: it gets a new one, and the parked request of the old is told FENCED_INSTANCE_ID.
//   - LeaveGroup, and the end of a session of a member that has not come: it is out, and those that have may be all now.
//   - SyncGroup and Heartbeat: REBALANCE_IN_PROGRESS; commit of the last generation: accepted.
//   - JoinGroup above group.max.size, counting those who have come: GROUP_MAX_SIZE_REACHED.
//
// CompletingRebalance: a generation has begun, its members know it, the leader assigns; SyncGroup is parked.
//   - SyncGroup of the leader => Stable; the assignment is stored, then all are told.
//   - JoinGroup of a new member, or of one with other metadata, or of a static member without its id; LeaveGroup; the end
//     of a session; the rebalance timeout without SyncGroup of all => PreparingRebalance; parked SyncGroups get
//     REBALANCE_IN_PROGRESS.
//   - JoinGroup with the same metadata: told the generation again. Heartbeat: accepted. Commit: REBALANCE_IN_PROGRESS.
//
// Stable: all have their assignment, or can ask for it.
//   - JoinGroup of a new member, of the leader, or with other metadata; LeaveGroup; the end of a session; the rebalance
//     timeout without SyncGroup of all => PreparingRebalance.
//   - JoinGroup of a follower with the same metadata: told the generation. Of a known static member without its id
//     (KIP-345): it gets a new id, the old one is fenced (FENCED_INSTANCE_ID), and unless another protocol is chosen now
//     there is no rebalance; a leader may be told to skip the assignment (KIP-814).
//   - SyncGroup: the assignment. Heartbeat, commit: accepted.
//   - the assignment turns out to be too large for the store, a member's protocols included: who waits is told
//     UNKNOWN_SERVER_ERROR => PreparingRebalance.
//
// Dead: being deleted. COORDINATOR_NOT_AVAILABLE to all; with the commit of the deletion the group is gone.
//
// In the three states with members: DeleteGroups is NON_EMPTY_GROUP; so is OffsetDelete, unless they are consumers: then
// topics to which they subscribe are GROUP_SUBSCRIBED_TO_TOPIC. A commit without a generation and member is
// UNKNOWN_MEMBER_ID.
//
// In all states: an id that is not a member's UNKNOWN_MEMBER_ID, another generation ILLEGAL_GENERATION, a protocol that
// not all support INCONSISTENT_GROUP_PROTOCOL.
//
// # Keys
//
//	groups/owner/<shard>                     who writes the groups of a shard
//	groups/g/<group>/head                    generation, protocol, leader, and since when
//	groups/g/<group>/m/<member>              a member: static id, timeouts, protocols with metadata, assignment, generation
//	groups/g/<group>/o/<topic>/<block>       offsets of partitions 64*block to 64*block+63
//	groups/g/<group>/p/<producer id>/<topic>/<block>
//	                                         of the same partitions, what an open transaction would commit
//
// In <group> and <topic> a slash is written %2F and a percent sign %25; <block> has eight digits. A group without a head
// has only ever been used for its offsets.
//
// As in Kafka the group is stored when it is created, when it becomes Stable, when it becomes Empty, and when a static
// member is replaced in Stable; after a restart a rebalance that was under way never was, and its members join again.
// Sessions then begin anew.
//
// What one commit rewrites: the block of each partition that it names, at worst 64 offsets with
// offset.metadata.max.bytes each. What a rebalance rewrites: the head and all members; a replaced static member costs
// two keys.
//
// The ownership key fences the shard (package shard says how); Start overwrites it. So a Coordinator that has been
// replaced writes nothing more, and answers NOT_COORDINATOR as soon as it finds out, which is when it next wants to write:
// until then what it reads from memory may be old.
//
// # Transactions
//
// Offsets that are committed in a transaction are pending: stored, but not to be read, until a marker ends the transaction
// of their producer. A commit puts them in the place of the group's offsets, in one transaction of the store with the
// removal of what was pending (several, if the group's part of it does not fit into one; then the offsets come first, and
// the marker, which is not answered before, comes again). An abort removes them. As in Kafka:
//
//   - of two commits of a partition the later counts, in the order in which they came, whenever their markers do. A
//     pending offset that a later commit has overtaken remains pending, for nothing;
//   - a partition that has one is UNSTABLE_OFFSET_COMMIT to those who require stable offsets;
//   - a group that has one is not forgotten, nor does its offset of that partition expire. Whoever deletes the group, the
//     offset or the topic deletes what is pending of it;
//   - a commit that names no member is accepted in all states; otherwise member and generation have to be right. It does
//     not prolong a session.
//
// The producers that have something pending are kept by their ids, so that a marker looks at the groups that it concerns
// and no others: all of them, whichever partition of __consumer_offsets it is for, since the decision is one for the whole
// transaction; the markers for further partitions then find nothing to do, and cost no write.
//
// A transaction costs two transactions of the store, the commit of its offsets and the marker, or rather a small part of
// two: each goes into a flight with whatever else there is. The first writes a key for each block that it names, at worst
// 64 offsets with their metadata; the second rewrites the blocks of the group's offsets and removes those keys.
//
// BeginTxnCommit gives out a guard, which the next marker of the producer makes void. The commit that brings it was
// verified with the transaction coordinator in between, or belongs to a transaction that already was; so whatever is
// pending has its marker still to come. Guards need no memory: what is kept is the number of each producer's last marker,
// for an hour, or as long as there are fewer than 100,000 producers; an older guard is void.
//
// Markers of an old epoch are INVALID_PRODUCER_EPOCH; from transaction.version 2 on those of the epoch in which something
// is pending too, because an end has the next one: a marker that is late finds the next transaction, and leaves it alone.
// Those of an old coordinator epoch are TRANSACTION_COORDINATOR_FENCED: that is stored with what is pending, otherwise
// kept as long as the guards. While groups are being read again, after a failure of the store, no marker is taken.
//
// Departures from Kafka: metadata of an offset is bounded by 14 KiB whatever offset.metadata.max.bytes says, so that what
// was accepted can be committed. Kafka asks again for the guard only until the transaction has begun in a partition; here
// every commit has to have one of this transaction, and each group is verified once. WriteTxnMarkers of an administrator
// for one partition of __consumer_offsets ends what the producer has pending in all.
//
// # When the store fails
//
// The outcome of a transaction may be unknown. All that waits for it gets COORDINATOR_NOT_AVAILABLE, and its groups are
// forgotten and read again, after the ownership key has been moved, so that the transaction, should it still be on its
// way, cannot come in behind. Until then these groups answer COORDINATOR_NOT_AVAILABLE, and others of the shard whatever
// needs no write.
package group
