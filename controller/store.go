package controller

import (
	"context"
	"errors"
)

// Bounds that every Store accepts in one transaction, and that every caller keeps. etcd's own bounds are higher
// (controller/etcd sets them); these leave room for what a Store adds. The number of operations bounds how long one
// transaction keeps others waiting, a few µs for each; what goes around a transaction, fsync first of all, is shared by
// as many as fit.
const (
	MaxTxnOps   = 512     // conditions and, apart, operations in one transaction
	MaxTxnBytes = 1 << 20 // keys and values of one transaction, in bytes
)

// Errors of a Store. Whatever else it returns means that the outcome is not known.
var (
	ErrTxnTooLarge = errors.New("controller: transaction exceeds the store's bounds")
	ErrClosed      = errors.New("controller: store is closed")
	// ErrNoSpace: the store has reached its quota and could not make room. Nothing was written.
	ErrNoSpace = errors.New("controller: metadata store is full")
)

// A Store is an ordered set of keys with one revision counter: every transaction that writes takes the next revision,
// and gives it to all keys that it wrote. What etcd offers, and no more than we use.
//
// The contract is held by package storetest, which every implementation passes.
type Store interface {
	// Txn applies ops if all conds hold, atomically, and returns the revision that it took. If a condition fails it
	// writes nothing and returns ok == false and the store's revision. A transaction without ops takes no revision.
	// Two ops of one transaction must not touch the same key. Keys do not begin with a zero byte.
	//
	// An error that is none of this package's, nor the context's before anything was sent, leaves it open whether
	// the transaction took place; an implementation retries as long as ctx allows and must apply at most once.
	Txn(ctx context.Context, conds []Cond, ops []Op) (rev int64, ok bool, err error)

	// Range returns all keys with the prefix in ascending order, at one revision, which it returns too. Whatever was
	// committed before the call is in it.
	Range(ctx context.Context, prefix string) (kvs []KV, rev int64, err error)

	// Watch delivers all changes to keys with the prefix from revision from on, in order, each once; the changes of
	// one transaction are never split over two batches. The channel is closed when ctx ends, when the store closes, or
	// when the store can no longer deliver all changes since from (they were compacted, or the connection broke):
	// a consumer whose ctx still lives then reads the state anew with Range.
	Watch(ctx context.Context, prefix string, from int64) <-chan []Event

	// Progress says, of this member, which term the store is in (every election begins a new one, the first is 1 or
	// more), and up to which entry its log is committed. Both only grow.
	Progress() (term, committed int64)

	// Close ends all watches and releases the store. It waits for calls under way.
	Close() error
}

// KV is one key. The value must not be modified.
type KV struct {
	Key         string
	Value       []byte
	ModRevision int64 // revision of the last change to this key
}

// Event is a change of one key. For a deletion Value is nil and ModRevision the revision of the deletion.
type Event struct {
	KV
	Deleted bool
}

// Cond is a condition of a transaction.
type Cond struct {
	Key   string
	Kind  CondKind
	Rev   int64  // CondModRevision
	Value []byte // CondValue
}

// CondKind says what a Cond compares.
type CondKind uint8

const (
	CondModRevision CondKind = iota // the key's modification revision is Rev; 0: the key does not exist
	CondExists                      // the key exists
	CondValue                       // the key exists and holds Value
)

// IfRevision holds if key was last changed at revision rev; rev 0: if it does not exist.
func IfRevision(key string, rev int64) Cond { return Cond{Key: key, Rev: rev} }

// IfAbsent holds if key does not exist.
func IfAbsent(key string) Cond { return Cond{Key: key} }

// IfExists holds if key exists.
func IfExists(key string) Cond { return Cond{Key: key, Kind: CondExists} }

// IfValue holds if key exists and holds value.
func IfValue(key string, value []byte) Cond { return Cond{Key: key, Kind: CondValue, Value: value} }

// Op is a write of a transaction.
type Op struct {
	Kind  OpKind
	Key   string // OpDeletePrefix: the prefix, which is not empty
	Value []byte // OpPut
}

// OpKind says what an Op does.
type OpKind uint8

const (
	OpPut OpKind = iota
	OpDelete
	OpDeletePrefix
)

// Put writes a key.
func Put(key string, value []byte) Op { return Op{Kind: OpPut, Key: key, Value: value} }

// Delete removes a key; one that does not exist is no error.
func Delete(key string) Op { return Op{Kind: OpDelete, Key: key} }

// DeletePrefix removes all keys with a prefix.
func DeletePrefix(prefix string) Op { return Op{Kind: OpDeletePrefix, Key: prefix} }

// opOverhead is what an operation costs beside key and value, in bytes, rounded up.
const opOverhead = 16

func (o Op) size() int { return len(o.Key) + len(o.Value) + opOverhead }

// CheckBounds returns ErrTxnTooLarge if the transaction exceeds MaxTxnOps or MaxTxnBytes. For implementations.
func CheckBounds(conds []Cond, ops []Op) error {
	if len(conds) > MaxTxnOps || len(ops) > MaxTxnOps {
		return ErrTxnTooLarge
	}
	n := 0
	for _, c := range conds {
		n += len(c.Key) + len(c.Value) + opOverhead
	}
	for _, o := range ops {
		n += o.size()
	}
	if n > MaxTxnBytes {
		return ErrTxnTooLarge
	}
	return nil
}
