// Package protocol turns the bytes of a Kafka connection into requests and
// responses into bytes. It owns framing, the request and response headers, and
// the safety of decoding; the messages themselves are those of kmsg.
//
// It keeps no state and must not know what a request is for: no files, no
// metadata, no sockets, no table of the APIs that are served, which comes in as
// a function. Record batches are opaque bytes to it.
//
// What comes from a socket may be hostile. No input makes it panic, and the
// memory that a request takes is bounded by a small multiple of the bytes that
// were really received (see guard.go): nothing is allocated because a number in
// the input says so.
package protocol
