package process

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Await returns when the broker at addr answers ApiVersions without an error,
// or when ctx ends, with the last reason why it did not.
func Await(ctx context.Context, addr string) error {
	// Nothing tells a process outside that a port is about to be listened on:
	// ask again, often enough not to blur start-up times.
	const pause = 2 * time.Millisecond
	var reason error
	for {
		err := apiVersions(ctx, addr)
		if err == nil {
			return nil
		}
		// What ctx interrupted says less than what failed before.
		if ctx.Err() == nil || reason == nil {
			reason = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), reason)
		case <-time.After(pause):
		}
	}
}

func apiVersions(ctx context.Context, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()

	req := kmsg.NewPtrApiVersionsRequest() // version 0, which every broker speaks
	if _, err := conn.Write(kmsg.NewRequestFormatter().AppendRequest(nil, req, 1)); err != nil {
		return err
	}
	var head [8]byte // size, correlation id
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return err
	}
	size := int32(binary.BigEndian.Uint32(head[:]))
	if id := binary.BigEndian.Uint32(head[4:]); size < 4 || size > 64<<10 || id != 1 {
		return fmt.Errorf("answer of %d bytes with correlation id %d: not a Kafka broker", size, id)
	}
	body := make([]byte, size-4)
	if _, err := io.ReadFull(conn, body); err != nil {
		return err
	}
	var resp kmsg.ApiVersionsResponse
	if err := resp.ReadFrom(body); err != nil {
		return err
	}
	return kerr.ErrorForCode(resp.ErrorCode)
}
