// Package broker owns the process: it reads the configuration, opens the log
// directories and the metadata store, wires the rooms together, listens, and
// carries bytes between connections and the handlers of broker/api.
//
// It must not know what a request means (broker/api), how a log is stored
// (logstore) or how metadata is agreed upon (controller, controller/etcd); the
// metadata store is handed to it by main.
//
// # A connection
//
// One goroutine reads a connection: it splits the read buffer into frames,
// decodes each where it lies, runs its handler and encodes the answer. As long
// as nothing waits, it writes the answers itself, all that one read gave rise to
// in one write. The first answer that has to wait starts a second goroutine, the
// writer: from then on answers queue up there, in order, until it has caught up.
// The reader goes on with later requests meanwhile, up to the queue's length.
//
// An idle connection holds one goroutine and no buffer.
package broker
