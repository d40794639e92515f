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
	if s.file == nil {
		n := copy(p, s.copied[off:])
		if short {
			return n, io.EOF
		}
		return n, nil
	}
	n, err := s.file.f.ReadAt(p, s.pos+off)
	switch {
	case n < len(p):
		return n, s.failed(off+int64(n), err)
	case short:
		return n, io.EOF
	}
	return n, nil
}

// failed is called when the file gave an error at a position of the run. A disk that fails takes the directory offline.
// If the file is shorter than it was, this process knows nothing of it any more, and will check before it serves it again.
func (s Slice) failed(at int64, err error) error {
	if err != io.EOF {
		return s.log.failed("read", err)
	}
	s.segment.distrust()
	path := s.segment.path()
	return s.log.failed("read", &damage{path, s.pos + at, fmt.Errorf("%s: ends at byte %d, %d expected: %w",
		path, s.pos+at, s.pos+int64(s.n), kerr.CorruptMessage)})
}
