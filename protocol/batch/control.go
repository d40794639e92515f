package batch

import (
	"encoding/binary"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
)

// ControlType is what a control record is about, by the number in its key.
type ControlType int16

const (
	Abort          ControlType = 0
	Commit         ControlType = 1
	LeaderChange   ControlType = 2
	SnapshotHeader ControlType = 3
	SnapshotFooter ControlType = 4
)

// ControlType says what the first record of a control batch is about; empty if
// compaction has left it none. The batch must have passed Validate.
//
// Errors: kerr.InvalidRecord where the record or its key cannot be read. A type
// that nobody knows is none.
func (b Batch) ControlType() (t ControlType, empty bool, err error) {
	for r, err := range b.Records() {
		if err != nil {
			return 0, false, err
		}
		// The key: version and type, both int16; newer versions may append.
		if len(r.Key) < 4 || int16(binary.BigEndian.Uint16(r.Key)) < 0 {
			return 0, false, fmt.Errorf("control batch at offset %d: key of %d bytes: %w", b.BaseOffset(), len(r.Key), kerr.InvalidRecord)
		}
		return ControlType(binary.BigEndian.Uint16(r.Key[2:])), false, nil
	}
	return 0, true, nil
}
