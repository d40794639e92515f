package batch

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
)

// Reasons why bytes are no record. They are values, so that a hostile batch
// costs no formatting before its first error.
var (
	errVarint       = errors.New("varint that does not end")
	errRecordSize   = errors.New("record larger than the bytes that are left")
	errRecordBound  = errors.New("record larger than any is allowed to be")
	errNegativeSize = errors.New("negative record size")
	errFields       = errors.New("fields do not fill the record exactly")
	errHeaders      = errors.New("invalid number or length of headers")
	errLeftOver     = errors.New("bytes left behind the last record")
)

// fields are a record's, relative to its batch. Key, value and headers alias
// whatever the record was read from; scanner.skip leaves them out.
type fields struct {
	timestampDelta int64
	offsetDelta    int32
	hasKey         bool
	key, value     []byte
	headers        Headers
}

// parse reads the body of a record: all that follows its length.
func (f *fields) parse(p []byte) error {
	if len(p) == 0 {
		return errFields
	}
	p = p[1:] // attributes, of which there are none yet
	var n int32
	var w int
	if f.timestampDelta, w = varint64(p); w == 0 {
		return errVarint
	}
	p = p[w:]
	if f.offsetDelta, w = varint32(p); w == 0 {
		return errVarint
	}
	p = p[w:]

	if n, w = varint32(p); w == 0 {
		return errVarint
	}
	p = p[w:]
	if f.key, f.hasKey = nil, n >= 0; f.hasKey {
		if int(n) > len(p) {
			return errFields
		}
		f.key, p = p[:n:n], p[n:]
	}

	if n, w = varint32(p); w == 0 {
		return errVarint
	}
	p = p[w:]
	if f.value = nil; n >= 0 {
		if int(n) > len(p) {
			return errFields
		}
		f.value, p = p[:n:n], p[n:]
	}

	if n, w = varint32(p); w == 0 {
		return errVarint
	}
	p = p[w:]
	if n == 0 && len(p) == 0 {
		f.headers = Headers{}
		return nil
	}
	f.headers = Headers{n: n, raw: p}
	return checkHeaders(n, p)
}

// checkHeaders walks n headers, which must fill p exactly.
func checkHeaders(n int32, p []byte) error {
	if n < 0 || int(n) > len(p) {
		return errHeaders
	}
	for range n {
		size, w := varint32(p)
		if w == 0 || size < 0 || int(size) > len(p)-w {
			return errHeaders
		}
		p = p[w+int(size):]
		size, w = varint32(p)
		if w == 0 || int(size) > len(p)-w {
			return errHeaders
		}
		p = p[w+int(max(size, 0)):]
	}
	if len(p) != 0 {
		return errFields
	}
	return nil
}

// varint32 reads a zig-zag varint of at most 5 bytes. Its width is 0 if p ends
// inside it or it is longer.
func varint32(p []byte) (v int32, width int) {
	if len(p) > 0 && p[0] < 0x80 {
		u := uint32(p[0])
		return int32(u>>1) ^ -int32(u&1), 1
	}
	return longVarint32(p)
}

func longVarint32(p []byte) (int32, int) {
	var u uint64
	for i, b := range p[:min(len(p), 5)] {
		u |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			if u>>32 != 0 {
				return 0, 0
			}
			return int32(uint32(u)>>1) ^ -int32(u&1), i + 1
		}
	}
	return 0, 0
}

// varint64 is the same with at most 10 bytes.
func varint64(p []byte) (v int64, width int) {
	if len(p) > 0 && p[0] < 0x80 {
		u := uint64(p[0])
		return int64(u>>1) ^ -int64(u&1), 1
	}
	var u uint64
	for i, b := range p[:min(len(p), 10)] {
		if i == 9 && b > 1 {
			return 0, 0
		}
		u |= uint64(b&0x7f) << (7 * i)
		if b < 0x80 {
			return int64(u>>1) ^ -int64(u&1), i + 1
		}
	}
	return 0, 0
}

// scanner walks the records of one batch, in place if they are not compressed
// and else piece by piece as they are expanded.
type scanner struct {
	win   []byte // records not yet read, up to the end of the piece
	src   source // of further pieces, nil if the window is all there is
	total int64  // bytes that have been in the window
	limit int64  // of total
	spill []byte // for a record that lies in more than one piece
}

var scanners = sync.Pool{New: func() any { return new(scanner) }}

func newScanner(b Batch) *scanner {
	s := scanners.Get().(*scanner)
	payload := b.Payload()
	if codec := b.Codec(); codec == None {
		s.win, s.total, s.limit = payload, int64(len(payload)), int64(len(payload))
	} else {
		s.win, s.total, s.limit = nil, 0, expandLimit(len(payload))
		s.src = expand(codec, payload)
	}
	return s
}

func (s *scanner) close() {
	if s.src != nil {
		s.src.release()
	}
	spill := s.spill[:0]
	if cap(spill) > 64<<10 {
		spill = nil
	}
	*s = scanner{spill: spill}
	scanners.Put(s)
}

// fill brings the next piece in. The window must have been read to its end.
// io.EOF if there is none.
func (s *scanner) fill() error {
	if s.src == nil {
		return io.EOF
	}
	for {
		piece, err := s.src.next()
		if err != nil {
			return err
		}
		if len(piece) == 0 {
			continue
		}
		if s.total += int64(len(piece)); s.total > s.limit {
			return errExpanded
		}
		s.win = piece
		return nil
	}
}

// size reads a record's length.
func (s *scanner) size() (int, error) {
	n, err := s.varint32()
	switch {
	case err != nil:
		return 0, err
	case n < 0:
		return 0, errNegativeSize
	case s.src == nil && int(n) > len(s.win):
		return 0, errRecordSize
	case s.src != nil && n > maxCompressedRecord:
		return 0, errRecordBound
	}
	return int(n), nil
}

// read reads the next record whole. What f aliases is valid until the next call.
func (s *scanner) read(f *fields) error {
	n, err := s.size()
	if err != nil {
		return err
	}
	if n <= len(s.win) {
		body := s.win[:n]
		s.win = s.win[n:]
		return f.parse(body)
	}
	// The buffer grows as bytes arrive, not to what the record claims.
	s.spill = s.spill[:0]
	for len(s.spill) < n {
		if len(s.win) == 0 {
			if err := s.fill(); err != nil {
				return torn(err)
			}
		}
		m := min(len(s.win), n-len(s.spill))
		s.spill = append(s.spill, s.win[:m]...)
		s.win = s.win[m:]
	}
	return f.parse(s.spill)
}

// check reads the next record as read does, and refuses what read refuses, but
// holds no record that lies in more than one piece: key, value and headers are
// left out of f.
func (s *scanner) check(f *fields) error {
	n, err := s.size()
	if err != nil {
		return err
	}
	if n <= len(s.win) {
		body := s.win[:n]
		s.win = s.win[n:]
		return f.parse(body)
	}
	end := s.pos() + int64(n)
	if err := s.discard(1); err != nil { // attributes
		return err
	}
	if f.timestampDelta, err = s.varint64(); err != nil {
		return err
	}
	if f.offsetDelta, err = s.varint32(); err != nil {
		return err
	}
	size, err := s.bytes(end)
	if err != nil {
		return err
	}
	f.hasKey = size >= 0
	if _, err := s.bytes(end); err != nil {
		return err
	}
	count, err := s.varint32()
	if err != nil {
		return err
	}
	if count < 0 || int64(count) > end-s.pos() {
		return errHeaders
	}
	for range count {
		size, err := s.bytes(end)
		if err != nil {
			return err
		}
		if size < 0 {
			return errHeaders
		}
		if _, err := s.bytes(end); err != nil {
			return err
		}
	}
	if s.pos() != end {
		return errFields
	}
	return nil
}

// pos is how many bytes have been read.
func (s *scanner) pos() int64 { return s.total - int64(len(s.win)) }

// bytes reads a length, which it returns, and passes over as many bytes, if
// they end at end or before.
func (s *scanner) bytes(end int64) (int32, error) {
	n, err := s.varint32()
	if err != nil || n <= 0 {
		return n, err
	}
	if int64(n) > end-s.pos() {
		return n, errFields
	}
	return n, s.discard(int(n))
}

func (s *scanner) discard(n int) error {
	for n > len(s.win) {
		n -= len(s.win)
		s.win = nil
		if err := s.fill(); err != nil {
			return torn(err)
		}
	}
	s.win = s.win[n:]
	return nil
}

func (s *scanner) varint32() (int32, error) {
	if v, w := varint32(s.win); w > 0 {
		s.win = s.win[w:]
		return v, nil
	}
	p, err := s.peekVarint(5)
	if err != nil {
		return 0, err
	}
	v, w := varint32(p)
	if w == 0 {
		return 0, errVarint
	}
	return v, nil
}

func (s *scanner) varint64() (int64, error) {
	if v, w := varint64(s.win); w > 0 {
		s.win = s.win[w:]
		return v, nil
	}
	p, err := s.peekVarint(10)
	if err != nil {
		return 0, err
	}
	v, w := varint64(p)
	if w == 0 {
		return 0, errVarint
	}
	return v, nil
}

// peekVarint takes the bytes of a varint that lies in two pieces, or does not
// end, byte by byte. It returns at most limit of them.
func (s *scanner) peekVarint(limit int) ([]byte, error) {
	s.spill = s.spill[:0]
	for len(s.spill) < limit {
		if len(s.win) == 0 {
			if err := s.fill(); err != nil {
				return nil, torn(err)
			}
		}
		b := s.win[0]
		s.win = s.win[1:]
		s.spill = append(s.spill, b)
		if b < 0x80 {
			break
		}
	}
	return s.spill, nil
}

// end checks that nothing is left.
func (s *scanner) end() error {
	if len(s.win) == 0 {
		switch err := s.fill(); err {
		case io.EOF:
			return nil
		case nil:
		default:
			return err
		}
	}
	return errLeftOver
}

// Records yields the batch's records, with absolute offsets and timestamps, in
// order. What a record refers to is valid only until the next one is asked for:
// it may lie in a buffer that is used again.
//
// An error comes last, alone: kerr.InvalidRecord where the bytes are not as many
// records as the header says, or do not decompress. Records of a batch that
// ValidateRecords accepted yields none. The caller must have called Validate,
// now or before the batch was stored.
func (b Batch) Records() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		if b.Count() == 0 {
			return // whatever may lie there, as in Kafka
		}
		s := newScanner(b)
		defer s.close()
		base, baseTime, logAppend := b.BaseOffset(), b.BaseTimestamp(), b.LogAppendTime()
		appendTime := b.MaxTimestamp()
		var f fields
		for i := range b.Count() {
			if err := s.read(&f); err != nil {
				yield(Record{}, b.recordError(i, err))
				return
			}
			r := Record{Offset: base + int64(f.offsetDelta), Timestamp: baseTime + f.timestampDelta,
				Key: f.key, Value: f.value, Headers: f.headers}
			if logAppend {
				r.Timestamp = appendTime
			}
			if !yield(r, nil) {
				return
			}
		}
		if err := s.end(); err != nil {
			yield(Record{}, b.recordError(b.Count(), err))
		}
	}
}

func (b Batch) recordError(i int32, err error) error {
	return fmt.Errorf("record batch at offset %d: record %d of %d: %w: %w", b.BaseOffset(), i, b.Count(), torn(err), kerr.InvalidRecord)
}
