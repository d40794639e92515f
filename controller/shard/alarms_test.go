package shard

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestAlarms compares with a list that is searched.
func TestAlarms(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	type thing struct {
		alarm Alarm[*thing]
		at    int64 // 0: not set
	}
	var all Alarms[*thing]
	things := make([]thing, 20)
	at := func(n int64) time.Time { return time.UnixMilli(n) }
	now := int64(1)
	for range 20_000 {
		th := &things[random.IntN(len(things))]
		switch random.IntN(4) {
		case 0, 1:
			n := now + 1 + random.Int64N(30)
			all.Set(&th.alarm, th, at(n))
			if th.at == 0 || n < th.at {
				th.at = n
			}
		case 2:
			all.Clear(&th.alarm)
			th.at = 0
		default:
			now += random.Int64N(10)
			last := int64(0)
			for th, ok := all.Due(at(now)); ok; th, ok = all.Due(at(now)) {
				if th.at == 0 || th.at > now || th.at < last {
					t.Fatalf("at %d: due at %d after %d", now, th.at, last)
				}
				last, th.at = th.at, 0
			}
		}
		next, n := int64(0), 0
		for i := range things {
			if at := things[i].at; at > 0 {
				n++
				if next == 0 || at < next {
					next = at
				}
			}
		}
		got, ok := all.Next()
		if ok != (n > 0) || ok && got != at(next) || all.Len() != n {
			t.Fatalf("%d alarms, next %v, want %d, %d", all.Len(), got.UnixMilli(), n, next)
		}
	}
}
