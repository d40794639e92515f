package logstore

import (
	"context"
	"errors"
	"fmt"
	"io"

	"blumfeld/logstore/compact"
	"blumfeld/protocol/batch"
)

// cleaning is one cleaning of one log (Kafka's Cleaner): the I/O around the rules in package compact. Its memory is the
// map, two buffers, and what they need more for the largest batch.
type cleaning struct {
	c       *Cleaner
	ctx     context.Context
	l       *Log
	cfg     *Config
	o       CleanerConfig
	plan    compact.Plan
	sources []source // the log's segments when the plan was made, the active one last

	in   []byte // the reader's buffer
	out  []byte // what stays, not written yet
	used int64  // bytes read or written and not paced yet
	done Cleaned
}

// source is a segment as it was when a cleaning was planned. If it is another by the time its successor is done, the
// cleaning was in vain.
type source struct {
	*segment
	size int64
	cut  int
}

func (j *cleaning) run() error {
	dirty, err := j.txns(j.plan.FirstDirty)
	if err != nil {
		return err
	}
	all, err := j.txns(j.sources[0].base)
	if err != nil {
		return err
	}
	// What goes because its transaction was decided goes for the sake of the marker, which may lie far behind. And a
	// recovery that began below what is cleaned would not learn any more what producers wrote there: on disk too the
	// recovery point has to be above it, and with it the snapshot that recovery begins with.
	if err := j.l.flushTo(j.l.logEnd.Load()); err != nil {
		return err
	}
	if err := j.l.dir.Checkpoint(); err != nil {
		return err
	}
	m := compact.NewOffsetMap(j.o.DedupeBufferBytes, j.o.LoadFactor)
	defer m.Free()
	if err := j.index(m, dirty); err != nil {
		return err
	}
	if m.Latest() < j.plan.FirstDirty {
		return fmt.Errorf("no memory for keys: %w", m.Err())
	}
	if err := m.Err(); err != nil {
		j.l.logger.Warn("no memory for the keys of a log that is cleaned; fewer of them at a time", "keys", m.Len(), "error", err)
	}
	j.done.From, j.done.To = j.plan.FirstDirty, m.Latest()+1
	j.done.Keys, j.done.MapBytes = m.Len(), m.Bytes()

	var sizes []compact.Segment
	for _, s := range j.sources {
		if s.base >= min(j.done.To, j.plan.Limit) {
			break
		}
		size, err := s.sizes()
		if err != nil {
			return err
		}
		sizes = append(sizes, size)
	}
	r := &compact.Retention{
		Map: m, Txns: all, Producers: j.l.activeProducers(),
		Now: j.l.dir.nowMs(), DeleteRetentionMs: j.cfg.DeleteRetentionMs,
	}
	at := 0
	for _, n := range compact.Group(sizes, j.plan.Limit, int64(j.cfg.SegmentBytes), int64(j.cfg.SegmentIndexBytes)) {
		if err := j.rewrite(at, n, r); err != nil {
			return err
		}
		at += n
		j.done.Segments += n
		j.done.Left++
	}
	j.done.Keyless = r.Keyless
	return nil
}

// txns follows the transactions of what is cleaned, from an offset on.
func (j *cleaning) txns(from int64) (*compact.Txns, error) {
	segments := make([]*segment, len(j.sources))
	for i, s := range j.sources {
		segments[i] = s.segment
	}
	var aborted []compact.AbortedTxn
	err := eachAborted(segments[segmentAt(segments, from):], from, j.plan.Limit, func(t txnEntry) {
		aborted = append(aborted, compact.AbortedTxn{ProducerID: t.producerID, FirstOffset: t.first, LastOffset: t.last, LastStable: t.stable})
	})
	return compact.NewTxns(aborted), err
}

// index puts the keys of the dirty part into the map, until it is full, with the offsets where they were last.
func (j *cleaning) index(m *compact.OffsetMap, txns *compact.Txns) error {
	for i, s := range j.sources[:len(j.sources)-1] {
		next := j.sources[i+1].base
		if next <= j.plan.FirstDirty {
			continue
		}
		if s.base >= j.plan.Limit {
			return nil
		}
		full, err := j.indexSegment(s.segment, m, txns)
		if err != nil || full {
			return err
		}
		m.SetLatest(next - 1) // also over a gap at the end
	}
	return nil
}

func (j *cleaning) indexSegment(s *segment, m *compact.OffsetMap, txns *compact.Txns) (full bool, err error) {
	first := j.plan.FirstDirty
	err = j.each(s, first, func(b batch.Batch, _ bool) error {
		if b.IsControl() {
			kind, empty, err := b.ControlType()
			if err != nil {
				return err
			}
			txns.Marker(b, kind, empty)
		} else if !txns.Data(b) {
			last := int64(-1)
			for r, err := range b.Records() {
				if err != nil {
					return err
				}
				if r.Key == nil || r.Offset < first {
					continue
				}
				if !m.Put(r.Key, r.Offset) {
					full = true
					if m.Latest() < first {
						m.SetLatest(last) // not one whole batch had room: all the same something has to be done
					}
					return io.EOF
				}
				last = r.Offset
			}
		}
		if b.LastOffset() >= first {
			m.SetLatest(b.LastOffset())
		}
		return nil
	})
	return full, err
}

// each reads a segment's batches from the one that contains an offset on, until visit returns an error; io.EOF is none.
// last says that the batch is the segment's last.
func (j *cleaning) each(s *segment, from int64, visit func(b batch.Batch, last bool) error) error {
	h, size, _, err := s.acquire()
	if err != nil {
		return err
	}
	defer h.release()
	pos := int64(0)
	if from > s.base {
		if pos, err = s.positionOf(h, from, size); err != nil {
			return err
		}
	}
	r := batchReader{f: h.f, path: s.path(), pos: pos, end: size, chunk: max(j.o.IOBufferBytes/2, minCleanBuffer), buf: j.in[:0]}
	defer func() {
		if j.in = r.buf[:0]; cap(j.in) > r.chunk {
			j.in = nil // grown for one large batch
		}
	}()
	for {
		if err := j.goOn(); err != nil {
			return err
		}
		b, err := r.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := j.pace(len(b)); err != nil {
			return err
		}
		if err := visit(b, r.pos == size); err == io.EOF {
			return nil
		} else if err != nil {
			return fmt.Errorf("%s: byte %d: %w", s.path(), r.pos-int64(len(b)), err)
		}
	}
}

// minCleanBuffer is how much is read or written at once if the configuration says less. It may say 0.
const minCleanBuffer = 4 << 10

// rewrite makes one segment of n, of which j.sources[at] is the first, and puts it in their place.
func (j *cleaning) rewrite(at, n int, r *compact.Retention) error {
	run := j.sources[at : at+n]
	ends := -1 // the segment that has the last batch of all
	for i, s := range run {
		if s.size > 0 {
			ends = i
		}
	}
	dst, err := j.l.createCleaned(run[0].base)
	if err != nil {
		return err
	}
	err = func() error {
		for i, s := range run {
			if err := j.copy(dst, s.segment, i == ends, r); err != nil {
				return err
			}
		}
		if err := j.write(dst); err != nil {
			return err
		}
		if err := dst.addKept(r.Txns.Kept()); err != nil {
			return err
		}
		last := run[n-1]
		dst.mu.Lock()
		dst.created, dst.modTime = last.created, last.modTime
		dst.mu.Unlock()
		return errors.Join(dst.seal(), dst.sync())
	}()
	if err == nil {
		err = j.l.swap(run, dst)
	}
	if err != nil {
		return errors.Join(err, j.l.dropCleaned(dst))
	}
	return nil
}

// addKept gives the segment its transaction index.
func (s *segment) addKept(kept []compact.AbortedTxn) error {
	if len(kept) == 0 {
		return nil
	}
	if err := s.openTxns(); err != nil {
		return err
	}
	for _, t := range kept {
		s.addTxn(txnEntry{producerID: t.ProducerID, first: t.FirstOffset, last: t.LastOffset, stable: t.LastStable})
	}
	return nil
}

// copy appends to dst what stays of a segment. ends says that dst ends with it.
func (j *cleaning) copy(dst, src *segment, ends bool, r *compact.Retention) error {
	return j.each(src, 0, func(b batch.Batch, last bool) error {
		j.done.BytesRead += int64(len(b))
		j.done.RecordsRead += int64(b.Count())
		f, ok, err := r.Filter(b, ends && last)
		if err != nil || !ok {
			return err
		}
		var kept int32
		if j.out, kept, err = b.AppendFiltered(j.out, f); err != nil {
			return err
		}
		j.done.RecordsWritten += int64(kept)
		if len(j.out) < max(j.o.IOBufferBytes/2, minCleanBuffer) {
			return nil
		}
		return j.write(dst)
	})
}

// write appends to dst what has gathered.
func (j *cleaning) write(dst *segment) error {
	if len(j.out) == 0 {
		return nil
	}
	if err := j.l.dir.room.need(int64(len(j.out))); err != nil {
		return err
	}
	if err := dst.append(j.out, j.cfg, &j.l.dir.room); err != nil {
		return err
	}
	n := len(j.out)
	j.done.BytesWritten += int64(n)
	if j.out = j.out[:0]; cap(j.out) > 2*max(j.o.IOBufferBytes, minCleanBuffer) {
		j.out = nil
	}
	return j.pace(n)
}

// pace waits for as long as reading or writing n bytes may take. Little is added up first.
func (j *cleaning) pace(n int) error {
	if j.used += int64(n); j.used < minCleanBuffer {
		return nil
	}
	used := j.used
	j.used = 0
	return j.aborts(j.c.throttle.use(j.ctx, used, j.o.MaxBytesPerSecond))
}

// goOn says whether the cleaning is still wanted.
func (j *cleaning) goOn() error {
	return j.aborts(j.ctx.Err())
}

func (j *cleaning) aborts(err error) error {
	if err != nil {
		return fmt.Errorf("%w: %w", errCleanAborted, err)
	}
	return nil
}

// createCleaned makes the files of a segment that nobody knows yet.
func (l *Log) createCleaned(base int64) (*segment, error) {
	if err := l.touch(); err != nil {
		return nil, err
	}
	s := newSegment(l, l.path, base)
	if err := s.rename(func(old string) (string, error) {
		return old + cleanedSuffix, l.dir.removeIfExists(old + cleanedSuffix)
	}); err != nil {
		return nil, err
	}
	// One that is left of an earlier attempt would be taken for a sign that this one did not come far enough.
	if err := l.dir.removeIfExists(s.besides(txnIndexSuffix)); err != nil {
		return nil, err
	}
	s.hasMaxTime, s.unsynced = true, true
	s.offsets.known, s.times.known = true, true
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	s.file, err = s.fs.openFile(s.path(), true)
	return s, err
}

// dropCleaned removes what a cleaning made that is given up. After a swap that came far enough to be believed by the
// next start it removes nothing.
func (l *Log) dropCleaned(s *segment) error {
	if l.dir.Offline() != nil || isInService(l, s) {
		return nil
	}
	s.retire()
	// The .log last: alone it is a segment, and an index of it without it would be taken for that of another.
	var err error
	for x := range s.indexes() {
		err = errors.Join(err, l.dir.removeIfExists(x.path))
	}
	return errors.Join(err, l.dir.removeIfExists(s.path()))
}

// positionOf is where the first batch that reaches an offset lies, size if there is none.
func (s *segment) positionOf(h *handle, offset, size int64) (int64, error) {
	s.mu.Lock()
	v, err := s.view(&s.offsets)
	s.mu.Unlock()
	if err != nil {
		return 0, err
	}
	defer v.release()
	p, err := s.find(h, &v, offset, size)
	if err == io.EOF {
		return size, nil
	}
	return p.pos, err
}

// sizes is what grouping asks of a segment.
func (s *segment) sizes() (compact.Segment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.removed {
		return compact.Segment{}, errMoved
	}
	if err := errors.Join(s.offsets.load(s.fs), s.times.load(s.fs)); err != nil {
		return compact.Segment{}, err
	}
	return compact.Segment{
		Base: s.base, Bytes: s.size,
		OffsetIndex: int64(s.offsets.n) * offsetEntryWidth,
		TimeIndex:   int64(s.times.n) * timeEntryWidth,
	}, nil
}

// activeProducers is what the state of the log's producers rests on (Kafka's UnifiedLog.lastRecordsOfActiveProducers).
func (l *Log) activeProducers() map[int64]compact.Producer {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := make(map[int64]compact.Producer, len(l.producers.producers))
	for e := range l.producers.entries() {
		m[e.producerID] = compact.Producer{LastDataOffset: e.lastOffset, Epoch: e.epoch}
	}
	return m
}
