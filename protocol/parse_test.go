package protocol

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// everything serves whatever kmsg knows.
func everything(key int16) (least, most int16, ok bool) {
	if r := kmsg.RequestForKey(key); r != nil {
		return 0, r.MaxVersion(), true
	}
	return 0, 0, false
}

// frameOf is a request as a client frames it, without its length.
func frameOf(m kmsg.Request, clientID *string, correlationID int32, headerTags []byte) []byte {
	p := binary.BigEndian.AppendUint16(nil, uint16(m.Key()))
	p = binary.BigEndian.AppendUint16(p, uint16(m.GetVersion()))
	p = binary.BigEndian.AppendUint32(p, uint32(correlationID))
	if clientID == nil {
		p = append(p, 0xff, 0xff)
	} else {
		p = binary.BigEndian.AppendUint16(p, uint16(len(*clientID)))
		p = append(p, *clientID...)
	}
	if m.IsFlexible() {
		p = append(p, headerTags...)
	}
	return m.AppendTo(p)
}

// TestParse: every request in every version comes back as it was, with and
// without a client id, with tagged fields in the header, with bytes behind it.
func TestParse(t *testing.T) {
	id := "client"
	everyVersion(func(key, version int16) {
		for seed := range uint64(6) {
			f := newFiller(seed)
			m := kmsg.RequestForKey(key)
			m.SetVersion(version)
			f.fill(reflect.ValueOf(m).Elem())
			clientID, tags := &id, []byte{0}
			if seed%2 == 0 {
				clientID = nil
			}
			if seed%3 == 0 {
				tags = []byte{2, 5, 1, 'x', 5, 0}
			}
			frame := frameOf(m, clientID, 42, tags)
			body := bytes.Clone(m.AppendTo(nil))
			if seed%4 == 0 {
				frame = append(frame, "behind"...)
			}
			r, err := Parse(frame, everything)
			if err != nil {
				t.Fatal(err)
			}
			want := Header{key, version, 42, ""}
			if clientID != nil {
				want.ClientID = id
			}
			if r.Header != want || r.Size != len(frame) || r.Body.GetVersion() != version {
				t.Fatalf("header %v of %d bytes, want %v", r.Header, r.Size, want)
			}
			if again := r.Body.AppendTo(nil); !bytes.Equal(again, body) {
				t.Fatalf("%v:\n%x\nwant\n%x", r.Header, again, body)
			}
		}
	})
}

// TestParseKeepsStrings: strings are copies, byte slices are not.
func TestParseKeepsStrings(t *testing.T) {
	for _, version := range []int16{3, 9} {
		m := kmsg.NewPtrProduceRequest()
		m.Version = version
		txn := "txn-id"
		m.TransactionID = &txn
		m.Topics = []kmsg.ProduceRequestTopic{{Topic: "topic", Partitions: []kmsg.ProduceRequestTopicPartition{{Records: []byte("records")}}}}
		id := "client"
		frame := frameOf(m, &id, 1, []byte{0})
		r, err := Parse(frame, everything)
		if err != nil {
			t.Fatal(err)
		}
		clear(frame)
		p := r.Body.(*kmsg.ProduceRequest)
		if r.ClientID != id || *p.TransactionID != txn || p.Topics[0].Topic != "topic" {
			t.Errorf("version %d: %q %q %q", version, r.ClientID, *p.TransactionID, p.Topics[0].Topic)
		}
		if string(p.Topics[0].Partitions[0].Records) != "\x00\x00\x00\x00\x00\x00\x00" {
			t.Errorf("version %d: records were copied", version)
		}
	}
}

// unknownKey is a request of 14 bytes with a key that nobody knows, which ended
// the process of a broker once.
var unknownKey = []byte{0x27, 0x0f, 0, 0, 0, 0, 0, 7, 0, 4, 't', 'e', 's', 't'}

func TestParseErrors(t *testing.T) {
	served := func(key int16) (int16, int16, bool) {
		switch key {
		case 0:
			return 3, 13, true
		case 3:
			return 0, 13, true
		case 18:
			return 0, 4, true
		}
		return 0, 0, false
	}
	header := func(key, version int16, rest ...byte) []byte {
		p := binary.BigEndian.AppendUint16(nil, uint16(key))
		p = binary.BigEndian.AppendUint16(p, uint16(version))
		return append(append(p, 0, 0, 0, 7), rest...)
	}
	id := []byte{0, 2, 'm', 'e'}
	with := func(p []byte, more ...byte) []byte { return append(bytes.Clone(p), more...) }
	for _, c := range []struct {
		name  string
		frame []byte
		kind  string
		text  string
	}{
		{"nothing", nil, "malformed", "0 bytes are less than a header"},
		{"seven bytes", make([]byte, 7), "malformed", "7 bytes are less than a header"},
		{"no client id", header(3, 1), "malformed", "client id is longer than the request"},
		{"client id cut", header(3, 1, 0, 9, 'm'), "malformed", "client id is longer than the request"},
		{"unknown key", header(999, 0, id...), "unknown", `unknown API: unknown API(999) v0, correlation id 7, client id "me"`},
		{"unknown key of 14 bytes", unknownKey, "unknown", `client id "test"`},
		{"unknown key, nothing behind it", header(999, 0), "unknown", `client id ""`},
		{"negative key", header(-1, 0, id...), "unknown", "unknown API(-1)"},
		{"a key that is known and not served", header(1, 12, id...), "unknown", "Fetch(1) v12"},
		{"version too high", header(3, 14, id...), "unsupported", `unsupported version: Metadata(3) v14, correlation id 7, client id "me" (served are 0 to 13)`},
		{"version too low", header(0, 2, id...), "unsupported", "Produce(0) v2"},
		{"negative version", header(3, -1, id...), "unsupported", "Metadata(3) v-1"},
		{"ApiVersions of the future", header(18, 99, id...), "unsupported", "ApiVersions(18) v99"},
		{"ApiVersions of the future, header cut", header(18, 99), "unsupported", "ApiVersions(18) v99"},
		{"no tagged fields", header(3, 12, id...), "malformed", "tagged fields of the header"},
		{"header tags cut", with(header(3, 12, id...), 1, 5, 100), "malformed", "tagged fields of the header"},
		{"header tags without end", with(header(3, 12, id...), 0xff, 0xff, 0xff, 0xff, 0x0f), "malformed", "tagged fields of the header"},
		{"no body", header(3, 1, id...), "malformed", reasonTooShort},
		{"huge count", with(header(3, 1, id...), 0x40, 0, 0, 0), "malformed", reasonTooShort},
		{"a null string that may not be null", with(header(3, 1, id...), 0, 0, 0, 1, 0xff, 0xff), "malformed", "Metadata(3) v1"},
		{"fine", with(header(3, 1, id...), 0, 0, 0, 0), "", ""},
		{"fine, client id null", with(header(3, 1, 0xff, 0xff), 0, 0, 0, 0), "", ""},
		{"fine, client id of length -2", with(header(3, 1, 0xff, 0xfe), 0, 0, 0, 0), "", ""},
	} {
		r, err := Parse(c.frame, served)
		kind := ""
		var h Header
		var unknown *UnknownKeyError
		var unsupported *UnsupportedVersionError
		var malformed *MalformedError
		switch {
		case errors.As(err, &unknown):
			kind, h = "unknown", unknown.Header
		case errors.As(err, &unsupported):
			kind, h = "unsupported", unsupported.Header
		case errors.As(err, &malformed):
			kind, h = "malformed", malformed.Header
		case err == nil:
			h = r.Header
		}
		if kind != c.kind || err != nil && !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v, want %s: … %s", c.name, err, c.kind, c.text)
		}
		if len(c.frame) >= 8 && (h.Key != int16(binary.BigEndian.Uint16(c.frame)) || h.CorrelationID != int32(binary.BigEndian.Uint32(c.frame[4:]))) {
			t.Errorf("%s: the error says %v", c.name, h)
		}
	}
}

func TestNextFrame(t *testing.T) {
	buf := []byte("\x00\x00\x00\x03abc\x00\x00\x00\x00\x00\x00\x00\x02de")
	for _, want := range []string{"abc", "", "de"} {
		frame, rest, need, err := NextFrame(buf, 3)
		if err != nil || need != 0 || string(frame) != want || cap(frame) != len(frame) {
			t.Fatalf("%q, %d, %v, want %q", frame, need, err, want)
		}
		buf = rest
	}
	if len(buf) != 0 {
		t.Errorf("%q left", buf)
	}
	buf = []byte("\x00\x00\x00\x03abc")
	for n := range buf {
		want := 7 - n
		if n < 4 {
			want = 4 - n
		}
		if frame, rest, need, err := NextFrame(buf[:n], 3); frame != nil || len(rest) != n || need != want || err != nil {
			t.Errorf("%d bytes: %q, %d, %v, want %d more", n, frame, need, err, want)
		}
	}
	for size, text := range map[string]string{
		"\x00\x00\x00\x04": "request of 4 bytes, at most 3 are allowed",
		"\x7f\xff\xff\xff": "request of 2147483647 bytes, at most 3 are allowed",
		"\xff\xff\xff\xff": "request of -1 bytes, at most 3 are allowed",
	} {
		_, _, _, err := NextFrame([]byte(size), 3)
		var e *FrameSizeError
		if !errors.As(err, &e) || err.Error() != text {
			t.Errorf("%v, want %s", err, text)
		}
	}
}

func TestReadRequest(t *testing.T) {
	m := kmsg.NewPtrProduceRequest()
	m.Version = 9
	m.Topics = []kmsg.ProduceRequestTopic{{Topic: "t", Partitions: []kmsg.ProduceRequestTopicPartition{{Records: make([]byte, 300_000)}}}}
	frame := frameOf(m, nil, 5, []byte{0})
	stream := binary.BigEndian.AppendUint32(nil, uint32(len(frame)))
	stream = append(stream, frame...)
	two := bytes.NewReader(bytes.Repeat(stream, 2))
	for range 2 {
		r, err := ReadRequest(iotest.OneByteReader(two), 1<<20, everything)
		if err != nil || r.CorrelationID != 5 || len(r.Body.(*kmsg.ProduceRequest).Topics[0].Partitions[0].Records) != 300_000 {
			t.Fatal(err)
		}
	}
	if _, err := ReadRequest(two, 1<<20, everything); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
	for _, n := range []int{1, 4, 5, 70_000, len(stream) - 1} {
		if _, err := ReadRequest(bytes.NewReader(stream[:n]), 1<<20, everything); err != io.ErrUnexpectedEOF {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if _, err := ReadRequest(bytes.NewReader(stream), 1000, everything); err == nil || !strings.Contains(err.Error(), "at most 1000") {
		t.Error(err)
	}
	// A length of 100 MB with little behind it.
	claim := append([]byte{6, 0, 0, 0}, make([]byte, 1000)...)
	if used := allocated(func() { _, _ = ReadRequest(bytes.NewReader(claim), 104857600, everything) }); used > 100<<10 {
		t.Errorf("%d bytes allocated for 1000", used)
	}
}

// TestAppendResponse: the form of every response's header and that the body
// follows it in the request's version.
func TestAppendResponse(t *testing.T) {
	everyVersion(func(key, version int16) {
		req := kmsg.RequestForKey(key)
		req.SetVersion(version)
		m := req.ResponseKind()
		m.SetVersion(0) // whatever the handler left there
		newFiller(uint64(version)).fill(reflect.ValueOf(m).Elem())
		r := &Request{Header: Header{key, version, 0x01020304, "x"}}
		got := r.AppendResponse([]byte("before"), m)
		got, ok := bytes.CutPrefix(got, []byte("before"))
		if !ok || int(binary.BigEndian.Uint32(got)) != len(got)-4 {
			t.Fatalf("%v: %x", r.Header, got)
		}
		header := []byte{1, 2, 3, 4}
		if m.IsFlexible() && key != 18 {
			header = append(header, 0)
		}
		body, ok := bytes.CutPrefix(got[4:], header)
		if !ok || m.GetVersion() != version || !bytes.Equal(body, m.AppendTo(nil)) {
			t.Fatalf("%v: %x", r.Header, got)
		}
	})
}
