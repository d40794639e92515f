package shard

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"blumfeld/controller"
)

// ErrLost: another process has become the owner. A transaction that returns it has not taken place; since a Retake that
// seemed to fail may have taken place too, only Retake knows for certain.
var ErrLost = errors.New("shard: another process is the owner")

// ErrDamaged: the ownership key holds what is none of its values.
var ErrDamaged = errors.New("shard: malformed ownership key")

const (
	ownerVersion = 1
	// tokenSize is the length of an owner's name, in bytes.
	tokenSize = 16
)

// Owner is a hold on a part of the store. The key's value is whose it is, and an epoch, one higher with every change of
// the key. It is used by one goroutine.
type Owner struct {
	store controller.Store
	key   string
	token []byte
	rev   int64
	epoch int32
}

// NewOwner returns an Owner that has not taken anything.
func NewOwner(store controller.Store, key string) *Owner {
	token := make([]byte, tokenSize)
	rand.Read(token)
	return &Owner{store: store, key: key, token: token}
}

// Key is the ownership key.
func (o *Owner) Key() string { return o.key }

// Epoch is that of the last Take or Retake.
func (o *Owner) Epoch() int32 { return o.epoch }

// Fence is the condition under which Txn writes.
func (o *Owner) Fence() controller.Cond { return controller.IfRevision(o.key, o.rev) }

// Take makes this process the owner, whoever was it before.
func (o *Owner) Take(ctx context.Context) error { return o.move(ctx, false) }

// Retake only moves the key, so that a transaction of unknown outcome, should it still be on its way, fails. It returns
// ErrLost if another process is the owner.
func (o *Owner) Retake(ctx context.Context) error { return o.move(ctx, true) }

func (o *Owner) move(ctx context.Context, ours bool) error {
	for {
		kvs, _, err := o.store.Range(ctx, o.key)
		if err != nil {
			return err
		}
		var rev int64
		var epoch int32
		if len(kvs) > 0 && kvs[0].Key == o.key {
			token, e, ok := decodeOwner(kvs[0].Value)
			if !ok {
				return fmt.Errorf("%w %s: %d bytes", ErrDamaged, o.key, len(kvs[0].Value))
			}
			if ours && !bytes.Equal(token, o.token) {
				return ErrLost
			}
			rev, epoch = kvs[0].ModRevision, e
		} else if ours {
			return ErrLost
		}
		if epoch == math.MaxInt32 {
			return fmt.Errorf("shard: no epochs are left of %s", o.key)
		}
		epoch++
		won, ok, err := o.store.Txn(ctx, []controller.Cond{controller.IfRevision(o.key, rev)},
			[]controller.Op{controller.Put(o.key, encodeOwner(o.token, epoch))})
		if err != nil {
			return err
		}
		if ok {
			o.rev, o.epoch = won, epoch
			return nil
		}
	}
}

// Txn writes unless another process has become the owner: then it returns ErrLost. Without operations it only asks. The
// outcome of any other error is not known.
func (o *Owner) Txn(ctx context.Context, ops []controller.Op) error {
	_, ok, err := o.store.Txn(ctx, []controller.Cond{o.Fence()}, ops)
	if err == nil && !ok {
		return ErrLost
	}
	return err
}

func encodeOwner(token []byte, epoch int32) []byte {
	b := append([]byte{ownerVersion}, token...)
	return binary.AppendVarint(b, int64(epoch))
}

// decodeOwner takes a bare token too: that is what groups had before there were epochs.
func decodeOwner(b []byte) (token []byte, epoch int32, ok bool) {
	if len(b) == tokenSize {
		return b, 0, true
	}
	if len(b) < 1+tokenSize || b[0] != ownerVersion {
		return nil, 0, false
	}
	token, b = b[1:1+tokenSize], b[1+tokenSize:]
	e, n := binary.Varint(b)
	return token, int32(e), n > 0 && e >= 0 && e <= math.MaxInt32
}
