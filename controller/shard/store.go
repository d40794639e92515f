package shard

import (
	"context"
	"errors"
	"slices"
	"time"

	"blumfeld/controller"
)

const (
	// StoreTimeout bounds one use of the store, as offsets.commit.timeout.ms by default bounds a commit.
	StoreTimeout = 5 * time.Second
	// TxnBytes is what a transaction may hold, in bytes: the room that its fence needs is left out.
	TxnBytes = controller.MaxTxnBytes - 1024

	// retryPause lies between the first attempts to reach a store that fails; it doubles up to maxRetryPause.
	retryPause    = 50 * time.Millisecond
	maxRetryPause = 2 * time.Second
	// opOverhead is what the store counts for an operation beside key and value, in bytes.
	opOverhead = 16
)

// Size is what an operation takes of TxnBytes.
func Size(o controller.Op) int { return len(o.Key) + len(o.Value) + opOverhead }

// Retry tries until try succeeds, it is of no use to try again (after ErrLost, ErrDamaged, controller.ErrClosed or one of
// final), or ctx ends. Each attempt has StoreTimeout; warn is told of those that failed.
func Retry(ctx context.Context, warn func(error), try func(context.Context) error, final ...error) error {
	final = append(final, ErrLost, ErrDamaged, controller.ErrClosed)
	attempt := func() error {
		bounded, cancel := context.WithTimeout(ctx, StoreTimeout)
		defer cancel()
		return try(bounded)
	}
	for pause := retryPause; ; pause = min(2*pause, maxRetryPause) {
		err := attempt()
		if err == nil || ctx.Err() != nil || slices.ContainsFunc(final, func(e error) bool { return errors.Is(err, e) }) {
			return err
		}
		warn(err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}
