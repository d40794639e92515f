// Package controller owns the truth about the cluster: which brokers there are, which topics, who leads each
// partition and which replicas are in sync, the dynamic configuration, the blocks of producer ids. The truth lies in a
// [Store] (etcd, or its twin in memory); this package decides what may change in it, and keeps a copy to read from.
//
// It must not know files, sockets or client connections, and it never imports etcd: that is behind Store.
//
// # How it works
//
// Each broker has one [Controller]. It reads everything once, follows one watch, and publishes an immutable [Image]
// after every change; readers take the newest Image and never block. An operation is a pure function of (Image,
// request) that yields compares and writes; the Controller commits them in one transaction, and when a compare fails it
// waits for the Image that shows why and decides again. So there is no lock around a decision, any number of brokers
// may decide at once, and a decision made on an old Image never takes effect.
//
// Every operation returns the revision that it committed. [Controller.WaitRevision] waits until the Image shows it:
// whoever answers a client does that first, so that the client reads its own write.
//
// # Keys
//
// All keys of this package lie under "meta/", which is what the watch covers. Groups, offsets and transactions, whose
// rate is that of clients and not of administrators, have prefixes of their own.
//
//	meta/format                             version of this layout; a broker refuses one that it does not know
//	meta/cluster-id                         the cluster id, 22 characters, as meta.properties has it
//	meta/brokers/<id>                       one broker's registration
//	meta/configs/brokers/<id>               dynamic configuration of one broker; <id> empty: default of all brokers
//	meta/configs/client-metrics/<name>      what a client metrics subscription says (KIP-714)
//	meta/configs/groups/<group>             dynamic configuration of one group (KIP-1000)
//	meta/configs/topics/<topic id>          dynamic configuration of one topic
//	meta/features                           levels of the features that are on in the whole cluster (KIP-584)
//	meta/names/<name with . as _>           guards against two topics whose metric names collide
//	meta/partitions/<topic id>/<partition>  one partition's state; partition in ten digits, so that order is numeric
//	meta/producer-ids                       the first producer id that no block contains yet
//	meta/topics/<name>                      id of the topic and number of its partitions
//
// A topic id in a key is Kafka's text form (22 characters of URL base64).
//
// Values are in the protocol buffers' wire format (codec.go), written by hand: a decoder skips fields that it does not
// know, so a newer broker may add some. A change that an older broker must not misread raises meta/format.
//
// # Invariants
//
//   - A topic exists if and only if meta/topics/<name> does. Its partitions' keys are written before it, in the same
//     transaction or, where there are too many for one, in earlier ones; deleting a topic removes all its keys in one
//     transaction. Partition keys that no topic counts are invisible, and are swept when a controller starts.
//   - A partition's key changes only by compare-and-swap on its modification revision. PartitionEpoch counts those
//     changes (Kafka's partition epoch has 32 bits, a revision of the store outgrows them).
//   - LeaderEpoch grows with every election, and only then: a shrink of the ISR leaves it alone (KAFKA-15021).
//   - A topic id is never used twice; whatever belongs to a topic is keyed by id, so that a topic created again under
//     the same name inherits nothing.
//   - Producer ids are handed out only after the block that holds them is committed.
package controller
