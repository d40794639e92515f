// Package api owns what each request means: one file per API key, NN_name.go,
// named by the key's number, and one table of them, in apis.go. A handler reads
// a decoded request, asks the rooms that own the truth (the partitions, the
// controller), and builds the answer.
//
// It must not know connections, sockets or bytes on the wire: those are
// broker's and protocol's. It keeps no state of its own but what clients
// negotiate with it (fetch sessions) and a block of producer ids.
//
// # How a handler runs
//
// Handlers of one connection run one after the other, in the order of its
// requests, on that connection's goroutine. That is what makes appends happen in
// order. Until the handler returns, no later request of the connection is
// looked at, so it may block for a control operation (a metadata write) and must
// not block for data. What has to wait for data (a fetch short of min.bytes, a
// produce whose records are not committed yet) is put into [Reply.Wait], which
// runs when every earlier answer has been sent.
//
// Byte slices in the request alias the connection's read buffer: they are gone
// once Handle returns. Reply.Wait must not touch them.
package api
