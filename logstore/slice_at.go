package logstore

import (
	"fmt"
	"io"

	"github.com/twmb/franz-go/pkg/kerr"
)

// ReadAt makes a Slice an io.ReaderAt, for whoever copies a long cold run in pieces instead of holding it whole.
func (s Slice) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off >= int64(s.n) {
		return 0, io.EOF
	}
	short := len(p) > s.n-int(off)
	if short {
		p = p[:s.n-int(off)]
	}
	n, err := s.file.f.ReadAt(p, s.pos+off)
	switch {
	case n < len(p) && err == io.EOF:
		return n, fmt.Errorf("log file ends at byte %d, %d expected: %w", s.pos+off+int64(n), s.pos+int64(s.n), kerr.CorruptMessage)
	case n < len(p):
		return n, fmt.Errorf("log file: %w: %w", err, kerr.KafkaStorageError)
	case short:
		return n, io.EOF
	}
	return n, nil
}
