package batch

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// realBatches are segments that Apache Kafka 4.3.1 wrote: twenty records each,
// from its Java producer and from librdkafka, through every codec. The file
// java-zstd22 was compressed at the highest level, which declares a window of
// 128 MiB.
func realBatches(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/batches/*.batch")
	if err != nil || len(files) != 11 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	all := make(map[string][]byte)
	for _, name := range files {
		p, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(name), ".batch")] = p
	}
	return all
}

func TestRealBatches(t *testing.T) {
	for name, p := range realBatches(t) {
		_, codec, _ := strings.Cut(strings.TrimSuffix(name, "22"), "-")
		java := strings.HasPrefix(name, "java")
		n := 0
		for len(p) > 0 {
			b, rest, err := Next(p)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			p = rest
			if err := b.Validate(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if b.Codec().String() != codec || b.HasProducerID() != java || b.BaseOffset() != int64(n) {
				t.Errorf("%s: codec %v, producer %d, offset %d", name, b.Codec(), b.ProducerID(), b.BaseOffset())
			}
			for r, err := range b.Records() {
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				var headers []string
				for k, v := range r.Headers.All() {
					headers = append(headers, fmt.Sprintf("%s:%s", k, v))
				}
				wantHeaders := "h1:one"
				if java {
					wantHeaders = "h1:one,h2:two"
				}
				if r.Offset != int64(n) || string(r.Key) != fmt.Sprintf("key%d", n+1) ||
					string(r.Value) != fmt.Sprintf("a value that repeats, a value that repeats, number %d", n+1) ||
					strings.Join(headers, ",") != wantHeaders || r.Timestamp < 1.7e12 || r.Timestamp > b.MaxTimestamp() {
					t.Fatalf("%s: record %d is %d %d %s %s %v", name, n, r.Offset, r.Timestamp, r.Key, r.Value, headers)
				}
				n++
			}
			// As it was when the producer sent it.
			b.Stamp(0, NoLeaderEpoch)
			sum, err := b.ValidateRecords(anyTime)
			if err != nil || sum.MaxTimestamp != b.MaxTimestamp() {
				t.Errorf("%s: %+v, %v", name, sum, err)
			}
		}
		if n != 20 {
			t.Errorf("%s: %d records", name, n)
		}
	}
}
