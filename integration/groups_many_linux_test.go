package integration

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"blumfeld/integration/process"
)

// Ten thousand groups, each with a committed offset and without members, cost bounded memory, also over a restart, and
// the members of another group notice nothing.
func TestTenThousandGroups(t *testing.T) {
	const groups = 10_000
	// Of the broker's anonymous memory, garbage included. Apache Kafka's heap alone grows by more.
	const bound = 64 << 20
	o := options(t, t.TempDir())
	b := start(t, o)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(8, 9)
	versions.SetMaxKeyVersion(9, 9)
	cl := client(t, b, kgo.MaxVersions(versions))
	if err := cl.ProduceSync(ctx, &kgo.Record{Topic: torturedTopic, Value: []byte("v")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	member := formGroup(ctx, t, cl, "busy")
	heartbeat := kmsg.NewPtrHeartbeatRequest()
	heartbeat.Group, heartbeat.MemberID, heartbeat.Generation = "busy", member.MemberID, member.Generation
	before, err := process.UsageOf(b.PID())
	if err != nil {
		t.Fatal(err)
	}

	var next atomic.Int64
	var committing sync.WaitGroup
	for range 32 {
		committing.Go(func() {
			for n := next.Add(1); n <= groups; n = next.Add(1) {
				if err := commitOne(ctx, cl, commitRequest(fmt.Sprint("group-", n), "", -1, 0, n)); err != nil {
					t.Errorf("group %d: %v", n, err)
					return
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { committing.Wait(); close(done) }()
	for {
		if resp, err := heartbeat.RequestWith(ctx, cl); err != nil || resp.ErrorCode != 0 {
			t.Fatalf("heartbeat of another group: %v, %v", err, kerr.ErrorForCode(resp.ErrorCode))
		}
		select {
		case <-done:
		default:
			continue
		}
		break
	}
	grown := func(b *process.Broker) {
		t.Helper()
		after, err := process.UsageOf(b.PID())
		if err != nil {
			t.Fatal(err)
		}
		n := after.RSSAnon - before.RSSAnon
		t.Logf("%d groups: RssAnon from %.1f to %.1f MiB, %d B a group", groups, mib(before.RSSAnon), mib(after.RSSAnon), n/groups)
		if n > bound && len(buildArgs) == 0 { // the race detector has memory of its own
			t.Errorf("%d groups took %d bytes", groups, n)
		}
	}
	grown(b)
	if err := b.Kill(); err != nil {
		t.Fatal(err)
	}
	b = start(t, o)
	list := kmsg.NewPtrListGroupsRequest()
	list.StatesFilter = []string{"Empty"}
	resp, err := list.RequestWith(ctx, cl)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(resp.Groups); n != groups {
		t.Errorf("%d groups after a kill", n)
	}
	grown(b)
	if resp, err := heartbeat.RequestWith(ctx, cl); err != nil || resp.ErrorCode != 0 {
		t.Errorf("heartbeat of another group: %v", err)
	}
	if offsets, err := fetchOffsets(ctx, cl, "group-7777"); err != nil || offsets[0] != 7777 {
		t.Errorf("offsets %v, %v", offsets, err)
	}
}

func mib(bytes int64) float64 { return float64(bytes) / (1 << 20) }
