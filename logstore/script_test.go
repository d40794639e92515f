package logstore

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	scripts "blumfeld/integration/script"
	"blumfeld/logstore/vfs"
	"blumfeld/protocol/batch"

	"github.com/twmb/franz-go/pkg/kerr"
)

// TestScripts replays testdata/*.txt, each on a file system of its own. Arguments of commands are key=value.
func TestScripts(t *testing.T) {
	scripts.Run(t, "testdata/*.txt", func(t *testing.T) func(string) string {
		s := &script{t: t, clk: &clock{startMs}, cfg: smallConfig()}
		s.mem = vfs.NewMem(s.clk.now)
		t.Cleanup(func() {
			if s.dir != nil {
				s.dir.Close()
			}
		})
		return s.run
	})
}

type script struct {
	t   *testing.T
	clk *clock
	mem *vfs.Mem
	cfg Config
	dir *Dir
	log *Log

	verifications map[string]Verification // by the names that the script gives them

	ops  []string // what has changed the file system since the last time that was asked
	last string   // error
}

type args map[string]string

func (s *script) num(a args, key string, otherwise int64) int64 {
	v, ok := a[key]
	if !ok {
		return otherwise
	}
	n, err := strconv.ParseInt(v, 0, 64)
	if err != nil {
		s.t.Fatalf("%s=%s: %v", key, v, err)
	}
	return n
}

// describeError is the Kafka error code's name, or the error where there is none.
func describeError(err error) string {
	var code *kerr.Error
	if errors.As(err, &code) {
		return code.Message
	}
	return err.Error()
}

func (s *script) run(line string) string {
	words := strings.Fields(line)
	if s.log == nil && !slices.Contains([]string{"open", "config", "clock", "damage", "files", "ops"}, words[0]) {
		s.t.Fatalf("%s: the log is not open, after %s", line, s.last)
	}
	a := args{}
	for _, w := range words[1:] {
		k, v, _ := strings.Cut(w, "=")
		a[k] = v
	}
	out, err := s.do(words[0], a)
	if err != nil {
		out += describeError(err)
		s.last = err.Error()
	}
	return out
}

func (s *script) do(command string, a args) (string, error) {
	switch command {
	case "config":
		s.cfg.SegmentBytes = int(s.num(a, "segment.bytes", int64(s.cfg.SegmentBytes)))
		s.cfg.SegmentMs = s.num(a, "segment.ms", s.cfg.SegmentMs)
		s.cfg.SegmentJitterMs = s.num(a, "segment.jitter.ms", s.cfg.SegmentJitterMs)
		s.cfg.SegmentIndexBytes = int(s.num(a, "segment.index.bytes", int64(s.cfg.SegmentIndexBytes)))
		s.cfg.IndexIntervalBytes = int(s.num(a, "index.interval.bytes", int64(s.cfg.IndexIntervalBytes)))
		s.cfg.RetentionMs = s.num(a, "retention.ms", s.cfg.RetentionMs)
		s.cfg.RetentionBytes = s.num(a, "retention.bytes", s.cfg.RetentionBytes)
		s.cfg.FlushMessages = s.num(a, "flush.messages", s.cfg.FlushMessages)
		s.cfg.FlushMs = s.num(a, "flush.ms", s.cfg.FlushMs)
		s.cfg.MaxMessageBytes = int(s.num(a, "max.message.bytes", int64(s.cfg.MaxMessageBytes)))
		s.cfg.LogAppendTime = a["message.timestamp.type"] == "LogAppendTime"
		if policy, ok := a["cleanup.policy"]; ok {
			s.cfg.Compact = strings.Contains(policy, "compact")
			s.cfg.Delete = strings.Contains(policy, "delete")
		}
		s.cfg.MinCompactionLagMs = s.num(a, "min.compaction.lag.ms", s.cfg.MinCompactionLagMs)
		s.cfg.MaxCompactionLagMs = s.num(a, "max.compaction.lag.ms", s.cfg.MaxCompactionLagMs)
		s.cfg.DeleteRetentionMs = s.num(a, "delete.retention.ms", s.cfg.DeleteRetentionMs)
		if ratio, err := strconv.ParseFloat(a["min.cleanable.dirty.ratio"], 64); err == nil {
			s.cfg.MinCleanableRatio = ratio
		}
		if name, ok := a["compression.type"]; ok {
			s.cfg.Compression = nil
			if codec, err := batch.ParseCodec(name); err == nil {
				s.cfg.Compression = &batch.Compression{Codec: codec, Level: int(s.num(a, "level", 0))}
			}
		}
		if s.log != nil {
			s.log.SetConfig(s.cfg)
		}
		return "", nil
	case "open":
		d, err := OpenDir(vfs.Inject(s.mem, s.note), "/data", DirOptions{NodeID: 1, Now: s.clk.now, manual: true,
			Logger:                 slog.New(slog.NewTextHandler(s.t.Output(), nil)),
			ProducerIDExpirationMs: s.num(a, "producer.id.expiration.ms", 86_400_000),
			Random:                 func(n int64) int64 { return n - 1 }})
		if err != nil {
			return "", err
		}
		s.dir = d
		s.log, err = d.Open("t", 0, testTopicID, s.cfg)
		if err != nil {
			return "", err
		}
		o := s.log.Offsets()
		return fmt.Sprintf("%d to %d", o.LogStart, o.LogEnd), nil
	case "stop":
		err := s.dir.Close()
		s.dir, s.log = nil, nil
		return "", err
	case "kill": // files as they are; the old life ends without a trace
		next, ops := s.mem.Clone(), s.ops
		s.dir.Close()
		s.mem, s.dir, s.log, s.ops = next, nil, nil, ops
		return "", nil
	case "clock":
		s.clk.ms += s.num(a, "ms", 0)
		return "", nil
	case "append":
		info, err := s.append(a)
		if err != nil {
			return "", err
		}
		text := fmt.Sprintf("%d-%d", info.BaseOffset, info.LastOffset)
		if info.LogAppendTime >= 0 && !info.Duplicate {
			text += fmt.Sprintf(" appended at %d", info.LogAppendTime-startMs)
		}
		if info.Duplicate {
			text += " duplicate"
		}
		return text, nil
	case "begin-verification":
		v, needed, err := s.log.BeginVerification(s.num(a, "pid", 0), int16(s.num(a, "epoch", 0)), int32(s.num(a, "seq", 0)), a["implicit"] == "yes")
		if err != nil {
			return "", err
		}
		if s.verifications == nil {
			s.verifications = map[string]Verification{}
		}
		s.verifications[a["v"]] = v
		return map[bool]string{true: "needed", false: "not needed"}[needed], nil
	case "replicate":
		b := s.batch(a)
		b.Stamp(s.num(a, "offset", 0), int32(s.num(a, "leader-epoch", 0)))
		return "", s.log.AppendAsFollower(b)
	case "offsets":
		return fmt.Sprintf("%+v", s.log.Offsets()), nil
	case "read":
		read := s.log.Read
		if a["committed"] == "yes" {
			read = s.log.ReadCommitted
		}
		sl, err := read(s.num(a, "from", 0), s.num(a, "limit", math.MaxInt64), int(s.num(a, "max", 1<<20)), a["min-one"] != "no")
		if err != nil {
			return "", err
		}
		defer sl.Release()
		p, err := sl.AppendTo(nil)
		var text []string
		for len(p) > 0 {
			b, rest, err := batch.Next(p)
			if err != nil {
				return "", err
			}
			text = append(text, fmt.Sprintf("%d-%d", b.BaseOffset(), b.LastOffset()))
			p = rest
		}
		for _, t := range sl.Aborted {
			text = append(text, fmt.Sprintf("producer %d aborted from %d", t.ProducerID, t.FirstOffset))
		}
		return strings.Join(text, " "), err
	case "dump":
		return s.dump()
	case "segments":
		var text strings.Builder
		for _, seg := range *s.log.segments.Load() {
			seg.mu.Lock()
			p, err := seg.offsets.all(seg.fs)
			q, err2 := seg.times.all(seg.fs)
			seg.mu.Unlock()
			if err := errors.Join(err, err2); err != nil {
				return "", err
			}
			fmt.Fprintf(&text, "%d: %d bytes", seg.base, seg.size)
			for ; len(p) > 0; p = p[offsetEntryWidth:] {
				e := getOffsetEntry(p, seg.base)
				fmt.Fprintf(&text, ", %d at byte %d", e.offset, e.pos)
			}
			for ; len(q) > 0; q = q[timeEntryWidth:] {
				e := getTimeEntry(q, seg.base)
				fmt.Fprintf(&text, ", +%dms by %d", e.timestamp-startMs, e.offset)
			}
			text.WriteByte('\n')
		}
		return text.String(), nil
	case "files":
		entries, err := s.mem.ReadDir("/data/t-0")
		var text strings.Builder
		for _, e := range entries {
			info, _ := s.mem.Stat("/data/t-0/" + e.Name)
			fmt.Fprintf(&text, "%s %d\n", e.Name, info.Size)
		}
		return text.String(), err
	case "aborted":
		var text strings.Builder
		for _, seg := range *s.log.segments.Load() {
			seg.mu.Lock()
			if seg.txns != nil {
				p, err := seg.txns.all(seg.fs)
				if err != nil {
					return "", err
				}
				for ; len(p) > 0; p = p[txnEntryWidth:] {
					e, err := getTxnEntry(p)
					if err != nil {
						return "", err
					}
					fmt.Fprintf(&text, "%d: producer %d from %d to %d, stable up to %d\n", seg.base, e.producerID, e.first, e.last, e.stable)
				}
			}
			seg.mu.Unlock()
		}
		return text.String(), nil
	case "producers":
		var text strings.Builder
		for _, p := range s.log.Producers() {
			fmt.Fprintf(&text, "%d: epoch %d, sequence %d, transaction %d", p.ProducerID, p.Epoch, p.LastSequence, p.CurrentTxnStartOffset)
			if p.CoordinatorEpoch >= 0 {
				fmt.Fprintf(&text, ", coordinator %d", p.CoordinatorEpoch)
			}
			text.WriteByte('\n')
		}
		return text.String(), nil
	case "expire":
		s.log.ExpireProducers(s.clk.ms)
		return "", nil
	case "time":
		return s.timestamp(s.log.OffsetForTimestamp(startMs + s.num(a, "ts", 0)))
	case "max-time":
		return s.timestamp(s.log.MaxTimestampOffset())
	case "epoch":
		epoch, end := s.log.EndOffsetForEpoch(int32(s.num(a, "of", 0)))
		return fmt.Sprintf("epoch %d ends at %d", epoch, end), nil
	case "assign-epoch":
		return "", s.log.AssignEpochStart(int32(s.num(a, "epoch", 0)), s.num(a, "offset", s.log.Offsets().LogEnd))
	case "high-watermark":
		s.log.SetHighWatermark(s.num(a, "at", math.MaxInt64))
		return "", nil
	case "clean":
		return s.clean(a)
	case "cleaned":
		return fmt.Sprintf("up to %d, uncleanable %v", s.log.cleaned.Load(), s.log.uncleanable.Load()), nil
	case "flush":
		return "", s.log.Flush()
	case "flush-if-due":
		return "", s.log.FlushIfDue(s.clk.ms)
	case "ops":
		text := strings.Join(s.ops, "\n")
		s.ops = nil
		return text, nil
	case "checkpoint":
		return "", s.dir.Checkpoint()
	case "background":
		inBackground(s.dir)
		return "", nil
	case "roll":
		_, err := s.log.Roll(s.clk.ms)
		return "", err
	case "roll-if-due":
		rolled, err := s.log.RollIfDue(s.clk.ms)
		return fmt.Sprint(rolled), err
	case "retain":
		n, err := s.log.Retain(s.clk.ms)
		return fmt.Sprintf("%d deleted", n), err
	case "delete-before":
		at, err := s.log.DeleteRecordsBefore(s.num(a, "offset", -1))
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("starts at %d", at), nil
	case "truncate":
		return "", s.log.TruncateTo(s.num(a, "to", 0))
	case "truncate-fully":
		return "", s.log.TruncateFullyAndStartAt(s.num(a, "to", 0))
	case "damage":
		return "", s.damage(a)
	}
	s.t.Fatalf("unknown command %q", command)
	return "", nil
}

// append appends a batch, or a marker. What a transactional batch needs to be verified is got for it, unless v names
// what begin-verification got before, or nothing.
func (s *script) append(a args) (AppendInfo, error) {
	leaderEpoch := int32(s.num(a, "leader-epoch", 0))
	var info AppendInfo
	var err error
	if kind := a["marker"]; kind != "" {
		info, err = s.log.AppendMarker(Marker{
			ProducerID: s.num(a, "pid", -1), Epoch: int16(s.num(a, "epoch", 0)), Commit: kind == "commit",
			CoordinatorEpoch: int32(s.num(a, "coordinator", 0)), TransactionVersion: int16(s.num(a, "version", 0)),
		}, leaderEpoch)
	} else {
		b := s.batch(a)
		name, named := a["v"]
		v := s.verifications[name]
		if b.IsTransactional() && !named {
			if v, _, err = s.log.BeginVerification(b.ProducerID(), b.ProducerEpoch(), b.BaseSequence(), false); err != nil {
				return info, err
			}
		}
		info, err = s.log.WriteAsLeader(b, leaderEpoch, v)
	}
	if err == nil && info.FlushDue {
		err = s.log.FlushTo(info.LastOffset + 1)
	}
	return info, err
}

// note records the operations that a crash could reveal, in their order.
func (s *script) note(op vfs.Op) error {
	if op.Mutates() {
		text := fmt.Sprintf("%s %s", op.Kind, strings.TrimPrefix(op.Path, "/data/"))
		if op.Kind == vfs.OpWrite {
			text += fmt.Sprintf(" %d+%d", op.Off, op.Len)
		}
		s.ops = append(s.ops, text)
	}
	return nil
}

// clean runs one cleaning, in a map of so many keys.
func (s *script) clean(a args) (string, error) {
	plan, _, err := s.log.cleanPlan()
	if err != nil {
		return "", err
	}
	if !plan.Due {
		return fmt.Sprintf("not due: %d to %d, dirty %.2f", plan.FirstDirty, plan.Limit, plan.Ratio()), nil
	}
	o := CleanerConfig{DedupeBufferBytes: 24 * s.num(a, "keys", 1000), LoadFactor: 1, MaxBytesPerSecond: math.MaxFloat64}
	done, err := NewCleaner(s.log.logger).Clean(s.t.Context(), s.log, o)
	if err != nil {
		s.log.cannotClean(err)
		return "", err
	}
	return fmt.Sprintf("%d to %d: %d keys, %d of %d records, %d of %d segments", done.From, done.To, done.Keys,
		done.RecordsWritten, done.RecordsRead, done.Left, done.Segments), nil
}

// dump prints every batch of the log, and the keys of its records.
func (s *script) dump() (string, error) {
	o := s.log.Offsets()
	var text strings.Builder
	for from := o.LogStart; from < o.LogEnd; {
		sl, err := s.log.Read(from, o.LogEnd, 1<<20, true)
		if err != nil {
			return "", err
		}
		p, err := sl.AppendTo(nil)
		sl.Release()
		if err != nil || len(p) == 0 {
			return text.String(), err
		}
		for len(p) > 0 {
			b, rest, err := batch.Next(p)
			if err != nil {
				return "", err
			}
			if err := b.Validate(); err != nil {
				return "", err
			}
			fmt.Fprintf(&text, "%d-%d", b.BaseOffset(), b.LastOffset())
			if b.Codec() != batch.None {
				fmt.Fprintf(&text, " %v", b.Codec())
			}
			if b.HasProducerID() {
				fmt.Fprintf(&text, " producer %d sequence %d", b.ProducerID(), b.LastSequence())
			}
			if ms, ok := b.DeleteHorizon(); ok {
				fmt.Fprintf(&text, " horizon +%dms", ms-startMs)
			}
			text.WriteString(":")
			if b.IsControl() {
				text.WriteString(" control")
			}
			for r, err := range b.Records() {
				if err != nil {
					return "", err
				}
				if b.IsControl() {
					fmt.Fprintf(&text, " %d", r.Offset)
					continue
				}
				fmt.Fprintf(&text, " %d:%s", r.Offset, r.Key)
				if r.Value == nil {
					text.WriteString("-")
				}
			}
			text.WriteString("\n")
			from, p = b.LastOffset()+1, rest
		}
	}
	return text.String(), nil
}

func (s *script) timestamp(to TimestampOffset, ok bool, err error) (string, error) {
	if err != nil || !ok {
		return "none", err
	}
	return fmt.Sprintf("offset %d at +%dms, epoch %d", to.Offset, to.Timestamp-startMs, to.LeaderEpoch), nil
}

// batch builds n records with timestamps ts, ts+step, ….
func (s *script) batch(a args) batch.Batch {
	w := batch.NewBuilder()
	if _, ok := a["pid"]; ok {
		w.ProducerID = s.num(a, "pid", -1)
		w.ProducerEpoch = int16(s.num(a, "epoch", 0))
		w.BaseSequence = int32(s.num(a, "seq", 0))
		w.Transactional = a["txn"] == "yes"
	}
	codec, err := batch.ParseCodec(a["codec"])
	if a["codec"] != "" && err != nil {
		s.t.Fatal(err)
	}
	w.Codec = codec
	if a["marker"] != "" {
		m := Marker{ProducerID: w.ProducerID, Epoch: w.ProducerEpoch, Commit: a["marker"] == "commit", CoordinatorEpoch: int32(s.num(a, "coordinator", 0))}
		return m.batch(startMs + s.num(a, "ts", 0))
	}
	keys := strings.Split(a["keys"], ",") // a key with a minus behind it is a tombstone
	for i := range max(s.num(a, "n", 1), int64(len(keys))) {
		r := batch.Record{Timestamp: startMs + s.num(a, "ts", 0) + i*s.num(a, "step", 0), Key: []byte("key"),
			Value: bytes.Repeat([]byte("v"), int(s.num(a, "bytes", 20)))}
		if a["key"] == "none" {
			r.Key = nil
		}
		if a["keys"] != "" {
			key, deleted := strings.CutSuffix(keys[i], "-")
			if r.Key = []byte(key); deleted {
				r.Value = nil
			}
		}
		w.Add(r)
	}
	return w.Build()
}

// damage does to a file what crashes and disks do.
func (s *script) damage(a args) error {
	name := "/data/t-0/" + a["file"]
	if a["how"] == "remove" {
		return s.mem.Remove(name)
	}
	var from []byte
	if a["from"] != "" {
		var err error
		if from, err = vfs.ReadFile(s.mem, "/data/t-0/"+a["from"], 1<<20); err != nil {
			return err
		}
	}
	f, err := s.mem.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return err
	}
	switch a["how"] {
	case "copy":
		_, err := f.WriteAt(from, 0)
		return err
	case "append":
		_, err := f.WriteAt(from, size)
		return err
	case "cut":
		return f.Truncate(size - s.num(a, "bytes", 1))
	case "zeros":
		return f.Truncate(size + s.num(a, "bytes", 1))
	case "flip":
		at := s.num(a, "at", 0)
		var b [1]byte
		if _, err := f.ReadAt(b[:], at); err != nil {
			return err
		}
		b[0] ^= 0x40
		_, err := f.WriteAt(b[:], at)
		return err
	case "garbage":
		_, err := f.WriteAt(bytes.Repeat([]byte{0xa5}, int(s.num(a, "bytes", 1))), size)
		return err
	}
	s.t.Fatalf("damage how=%s", a["how"])
	return nil
}
