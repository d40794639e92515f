package protocol

import (
	"bytes"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// FuzzParse: whatever comes, Parse ends without a panic, with a request that
// encodes again or an error that says what it is, and allocates no more than a
// multiple of what came.
func FuzzParse(f *testing.F) {
	everyVersion(func(key, version int16) {
		for seed := range uint64(2) {
			fill := newFiller(seed)
			fill.maxLen = 2
			m := kmsg.RequestForKey(key)
			m.SetVersion(version)
			frame := frameOf(m, nil, 1, []byte{0})
			f.Add(append(frame[:len(frame)-len(m.AppendTo(nil))], randomBody(fill, key, version)...))
		}
	})
	f.Fuzz(func(t *testing.T, frame []byte) {
		var r *Request
		var err error
		used := allocated(func() { r, err = Parse(frame, everything) })
		if most := uint64(1.25*memoryRatio*float64(len(frame))) + 3*memorySlack; used > most {
			t.Fatalf("%d bytes allocated for %d, at most %d are allowed", used, len(frame), most)
		}
		if err != nil {
			switch e := err.(type) {
			case *UnknownKeyError, *UnsupportedVersionError, *MalformedError:
				_ = e.Error()
			default:
				t.Fatalf("error of no kind: %v", err)
			}
			return
		}
		// What was understood is understood the same again.
		body := r.Body.AppendTo(nil)
		again := kmsg.RequestForKey(r.Key)
		again.SetVersion(r.Version)
		if err := again.ReadFrom(body); err != nil {
			t.Fatalf("%v: %v", r.Header, err)
		}
		if !bytes.Equal(again.AppendTo(nil), body) {
			t.Fatalf("%v differs when read again", r.Header)
		}
	})
}

// FuzzNextFrame: no bytes are lost, and what is missing is never more than the
// largest frame.
func FuzzNextFrame(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x03abc\x00\x00\x00\x00\x00\x00\x00\x02de"), int32(100))
	f.Add([]byte("\x7f\xff\xff\xff"), int32(104857600))
	f.Add([]byte("\xff\xff\xff\xff"), int32(104857600))
	f.Fuzz(func(t *testing.T, p []byte, max int32) {
		if max < 0 {
			return
		}
		for rest := p; ; {
			frame, r, need, err := NextFrame(rest, max)
			switch {
			case err != nil || need > 0:
				if frame != nil || !bytes.Equal(r, rest) || err == nil && (need > int(max)+4 || need < 1) {
					t.Fatalf("%q, %d left of %d, %d missing, %v", frame, len(r), len(rest), need, err)
				}
				return
			case len(frame)+4+len(r) != len(rest) || len(frame) > int(max):
				t.Fatalf("%d and %d of %d", len(frame), len(r), len(rest))
			}
			rest = r
		}
	})
}
