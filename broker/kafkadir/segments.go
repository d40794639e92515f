package kafkadir

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"

	"blumfeld/protocol/batch"
)

// segmentName is what a segment in use is called; those that a cleaner or a deletion is busy with have a suffix more.
var segmentName = regexp.MustCompile(`^\d{20}\.log$`)

func isSegment(e fs.DirEntry) bool { return segmentName.MatchString(e.Name()) }

// ReadLog calls visit with every batch of a partition's folder, in order of offsets. The batch is valid until visit
// returns. An error of visit ends the walk and is returned.
func ReadLog(fsys fs.FS, folder string, visit func(batch.Batch) error) error {
	entries, err := fs.ReadDir(fsys, folder) // sorted by name, which is by offset
	if err != nil {
		return err
	}
	var segments []string
	for _, e := range entries {
		if isSegment(e) {
			segments = append(segments, path.Join(folder, e.Name()))
		}
	}
	for i, name := range segments {
		last := i == len(segments)-1
		if err := readFile(fsys, name, last, visit); err != nil {
			return err
		}
	}
	return nil
}

// readFile is ReadLog for one file of batches. tornTail allows that the last batch is unfinished.
func readFile(fsys fs.FS, name string, tornTail bool, visit func(batch.Batch) error) error {
	file, err := fsys.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	r := bufio.NewReaderSize(file, 1<<16)
	var buf []byte
	for position := int64(0); position < info.Size(); {
		left := info.Size() - position
		size, err := peekSize(r)
		if err == nil && int64(size) > left {
			err = batch.ErrShort
		}
		if errors.Is(err, batch.ErrShort) && tornTail {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s at position %d: %w", name, position, err)
		}
		if cap(buf) < size {
			buf = make([]byte, size) // no more than the file has left
		}
		buf = buf[:size]
		if _, err := io.ReadFull(r, buf); err != nil {
			return fmt.Errorf("%s at position %d: %w", name, position, err)
		}
		b, _, err := batch.Next(buf)
		if err == nil {
			err = b.Validate()
		}
		if err == nil {
			err = visit(b)
		}
		if err != nil {
			return fmt.Errorf("%s at position %d: %w", name, position, err)
		}
		position += int64(size)
	}
	return nil
}

// peekSize returns the size of the batch that r is about to yield; batch.ErrShort if not even its header is there.
func peekSize(r *bufio.Reader) (int, error) {
	head, err := r.Peek(batch.HeaderSize)
	if errors.Is(err, io.EOF) {
		return 0, batch.ErrShort
	}
	if err != nil {
		return 0, err
	}
	return batch.SizeOf(head)
}
