// Package txncheck owns the rules by which a history of transactions is judged: what clients did, what readers saw and
// what the log has in the end come in, anomalies come out. They are those of Jepsen's Kafka workload, and those that
// consume-process-produce adds.
//
// It must not know brokers, clients or connections, nor how a history came about: a test makes one by hand for each
// anomaly that there is.
//
// What Kafka does not promise is no anomaly. Transactions do not isolate writes (those of two may lie in one order in
// one partition and in the other order in the next, Adya's G0), and a commit is acknowledged before readers see it, in
// one partition sooner than in another. So readers are held to each partition by itself: to what may never be seen, and
// to its order; that a transaction is whole is held to the end, when all of them have ended.
package txncheck
