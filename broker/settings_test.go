package broker

import (
	"math"
	"testing"
	"time"
)

func TestMilliseconds(t *testing.T) {
	for ms, want := range map[int64]time.Duration{
		-1: -time.Millisecond, 0: 0, 1500: 1500 * time.Millisecond,
	} {
		if got := milliseconds(ms); got != want {
			t.Errorf("%d ms are %v, want %v", ms, got, want)
		}
	}
	if got := milliseconds(math.MaxInt64); got < 200*365*24*time.Hour {
		t.Errorf("never is %v", got)
	}
}
