package txn

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"

	"blumfeld/controller"
)

var errLost = errors.New("txn: another coordinator owns these transactional ids")

// tokenSize is the length of a Coordinator's name in the ownership key, in bytes.
const tokenSize = 16

// owner is a shard's hold on its part of the store: every transaction is conditional on the ownership key being as this
// process last wrote it. The key's value is who wrote it, and the coordinator epoch, one higher with every write. Only the
// writer uses it.
type owner struct {
	store controller.Store
	key   string
	token []byte // of this Coordinator
	rev   int64
	epoch int32
}

// take makes this process the owner, whoever was it before. retake only moves the key, so that a transaction of unknown
// outcome, should it still be on its way, fails; it returns errLost if another process is the owner.
func (o *owner) take(ctx context.Context) error { return o.move(ctx, false) }

func (o *owner) retake(ctx context.Context) error { return o.move(ctx, true) }

func (o *owner) move(ctx context.Context, ours bool) error {
	for {
		kvs, _, err := o.store.Range(ctx, o.key)
		if err != nil {
			return err
		}
		var rev int64
		var epoch int32
		if len(kvs) > 0 && kvs[0].Key == o.key {
			token, e, err := decodeOwner(kvs[0].Value)
			if err != nil {
				return malformed(kvs[0])
			}
			if ours && !bytes.Equal(token, o.token) {
				return errLost
			}
			rev, epoch = kvs[0].ModRevision, e
		} else if ours {
			return errLost
		}
		if epoch == math.MaxInt32 {
			return errors.New("txn: no coordinator epochs are left")
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

func (o *owner) txn(ctx context.Context, ops []controller.Op) error {
	_, ok, err := o.store.Txn(ctx, []controller.Cond{controller.IfRevision(o.key, o.rev)}, ops)
	if err == nil && !ok {
		// Our own retake may have taken place although it seemed to fail: recovery finds out.
		return errLost
	}
	return err
}

func encodeOwner(token []byte, epoch int32) []byte {
	b := append([]byte{recordVersion}, token...)
	return binary.AppendVarint(b, int64(epoch))
}

func decodeOwner(b []byte) (token []byte, epoch int32, err error) {
	r := decoder{rest: b}
	if r.uvarint(math.MaxInt64) != recordVersion || len(r.rest) < tokenSize {
		return nil, 0, errMalformed
	}
	token, r.rest = r.rest[:tokenSize], r.rest[tokenSize:]
	epoch = int32(r.varint(0, math.MaxInt32))
	return token, epoch, r.err
}
