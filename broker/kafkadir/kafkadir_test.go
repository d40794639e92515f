package kafkadir

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"maps"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"blumfeld/protocol/batch"
)

// records is one batch with these records from an offset on.
func records(base int64, list ...batch.Record) batch.Batch {
	w := batch.NewBuilder()
	w.BaseOffset = base
	for _, r := range list {
		w.Add(r)
	}
	return w.Build()
}

func values(base int64, list ...[]byte) batch.Batch {
	var rs []batch.Record
	for _, v := range list {
		rs = append(rs, batch.Record{Value: v})
	}
	return records(base, rs...)
}

// metadataRecord frames the fields of a record of KRaft's; every one ends with no tagged fields.
func metadataRecord(kind uint32, fields ...func([]byte) []byte) []byte {
	b := kbin.AppendUvarint(nil, frameVersion)
	b = kbin.AppendUvarint(b, kind)
	b = kbin.AppendUvarint(b, 0)
	for _, f := range fields {
		b = f(b)
	}
	return append(b, 0)
}

func str(s string) func([]byte) []byte {
	return func(b []byte) []byte { return kbin.AppendCompactString(b, s) }
}
func null(b []byte) []byte { return append(b, 0) }
func num32(n int32) func([]byte) []byte {
	return func(b []byte) []byte { return kbin.AppendInt32(b, n) }
}
func num64(n int64) func([]byte) []byte {
	return func(b []byte) []byte { return kbin.AppendInt64(b, n) }
}
func num8(n int8) func([]byte) []byte { return func(b []byte) []byte { return append(b, byte(n)) } }
func id(n byte) func([]byte) []byte   { return func(b []byte) []byte { return append(b, uuid(n)...) } }
func uuid(n byte) []byte              { return append(make([]byte, 15), n) }

func topicOf(name string, n byte) []byte { return metadataRecord(topicRecord, str(name), id(n)) }
func partitionOf(n byte, partition int32) []byte {
	// The replicas and all that follows are of no interest.
	return metadataRecord(partitionRecord, num32(partition), id(n), func(b []byte) []byte { return append(b, 2, 0, 0, 0, 1) })
}
func configOf(kind int8, name, key string, value func([]byte) []byte) []byte {
	return metadataRecord(configRecord, num8(kind), str(name), str(key), value)
}

const (
	segment0 = MetadataFolder + "/00000000000000000000.log"
	segment9 = MetadataFolder + "/00000000000000000009.log"
	snapshot = MetadataFolder + "/00000000000000000006-0000000001.checkpoint"
)

func file(batches ...batch.Batch) *fstest.MapFile {
	f := &fstest.MapFile{}
	for _, b := range batches {
		f.Data = append(f.Data, b...)
	}
	return f
}

func TestMetadataOfLogAlone(t *testing.T) {
	dir := fstest.MapFS{
		segment0: file(
			values(0, topicOf("a", 1), partitionOf(1, 0), partitionOf(1, 1), configOf(resourceTopic, "a", "retention.ms", str("5"))),
			values(4, topicOf("gone", 2), partitionOf(2, 0), configOf(resourceTopic, "gone", "retention.ms", str("6"))),
			values(7, configOf(resourceBroker, "", "log.retention.ms", str("7")), metadataRecord(27, str("of no interest"))),
		),
		segment9: file(
			values(9, metadataRecord(producerIDsRecord, num32(1), num64(1), num64(3000)), metadataRecord(removeTopicRecord, id(2))),
			values(11, configOf(resourceTopic, "a", "retention.ms", null), configOf(resourceTopic, "a", "cleanup.policy", str("compact"))),
			values(13, topicOf("gone", 3), partitionOf(3, 0)), // the name again, without the old configuration
		),
	}
	got, err := ReadMetadata(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := &Metadata{
		Topics: []Topic{
			{Name: "a", ID: [16]byte(uuid(1)), Partitions: 2, Configs: map[string]string{"cleanup.policy": "compact"}},
			{Name: "gone", ID: [16]byte(uuid(3)), Partitions: 1},
		},
		Configs:        map[string]map[string]string{"broker (cluster-wide default)": {"log.retention.ms": "7"}},
		NextProducerID: 3000,
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got  %+v\nwant %+v", got, want)
	}
}

// TestOthers: what is only counted, and what of it was taken back.
func TestOthers(t *testing.T) {
	acl := func(kind uint32, n byte) []byte { return metadataRecord(kind, id(n), num8(2), str("topic")) }
	scram := func(kind uint32, user string, mechanism int8) []byte {
		return metadataRecord(kind, str(user), num8(mechanism), str("salt"))
	}
	quota := func(user func([]byte) []byte, key string, remove int8) []byte {
		one := func(b []byte) []byte { return append(b, 2) } // the length of a compact array of one
		return metadataRecord(quotaRecord, one, str("user"), user, null, str(key), num64(1), num8(remove))
	}
	got, err := ReadMetadata(fstest.MapFS{segment0: file(values(0,
		acl(aclRecord, 1), acl(aclRecord, 2), acl(removeACLRecord, 1),
		scram(scramRecord, "ann", 1), scram(scramRecord, "ann", 2), scram(scramRecord, "bob", 1), scram(removeSCRAMRecord, "ann", 2),
		quota(str("ann"), "producer_byte_rate", 0), quota(str("ann"), "producer_byte_rate", 0), quota(null, "producer_byte_rate", 0),
		quota(str("ann"), "request_percentage", 0), quota(str("ann"), "request_percentage", 1),
	))})
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]int{acls: 1, passwords: 2, quotas: 2}; !maps.Equal(got.Others, want) {
		t.Errorf("%v, want %v", got.Others, want)
	}
}

// TestMetadataOfSnapshot: what the newest snapshot covers is not read from the log again, where it may be gone.
func TestMetadataOfSnapshot(t *testing.T) {
	control := records(0, batch.Record{Key: []byte{0, 0, 0, 3}, Value: []byte("header")})
	control = func() batch.Batch {
		w := batch.NewBuilder()
		w.Control = true
		for r := range control.Records() {
			w.Add(r)
		}
		return w.Build()
	}()
	dir := fstest.MapFS{
		MetadataFolder + "/00000000000000000002-0000000001.checkpoint": file(values(0, topicOf("older", 7), partitionOf(7, 0))),
		snapshot: file(control, values(1, topicOf("a", 1), partitionOf(1, 0))),
		segment0: file(
			values(4, topicOf("before", 2), partitionOf(2, 0)), // offsets 4 and 5
			values(6, topicOf("after", 3), partitionOf(3, 0)),
		),
	}
	got, err := ReadMetadata(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, topic := range got.Topics {
		names[topic.Name] = true
	}
	if !maps.Equal(names, map[string]bool{"a": true, "after": true}) {
		t.Fatalf("topics %v", names)
	}
}

func TestBadMetadata(t *testing.T) {
	whole := file(values(0, topicOf("a", 1), partitionOf(1, 0)))
	flipped := fstest.MapFile{Data: append([]byte(nil), whole.Data...)}
	flipped.Data[70] ^= 1
	cut := fstest.MapFile{Data: whole.Data[:len(whole.Data)-1]}
	for name, c := range map[string]struct {
		dir  fstest.MapFS
		want string // in the error
		is   error
	}{
		"none":              {fstest.MapFS{}, "", fs.ErrNotExist},
		"somebody else's":   {fstest.MapFS{MetadataFolder + "/member/snap/db": whole}, "", fs.ErrNotExist},
		"a flipped bit":     {fstest.MapFS{segment0: &flipped}, segment0 + " at position 0", kerr.CorruptMessage},
		"a cut segment":     {fstest.MapFS{segment0: &cut, segment9: whole}, segment0 + " at position 0", batch.ErrShort},
		"a cut snapshot":    {fstest.MapFS{snapshot: &cut, segment0: whole}, snapshot, batch.ErrShort},
		"no partitions":     {fstest.MapFS{segment0: file(values(0, topicOf("a", 1)))}, `topic "a" has no partitions`, nil},
		"another frame":     {fstest.MapFS{segment0: file(values(0, []byte{9, 2, 0}))}, "offset 0: frame version 9", errMalformed},
		"a short record":    {fstest.MapFS{segment0: file(values(3, topicOf("abc", 1)[:5]))}, "offset 3: record of type 2", errMalformed},
		"an empty record":   {fstest.MapFS{segment0: file(values(0, nil))}, "offset 0", errMalformed},
		"a string too long": {fstest.MapFS{segment0: file(values(0, []byte{1, 2, 0, 0xff, 0xff, 0xff, 0xff, 0x0f}))}, "offset 0", errMalformed},
	} {
		_, err := ReadMetadata(c.dir)
		if err == nil || !strings.Contains(err.Error(), c.want) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A crash leaves its last write unfinished; that is no damage.
	if _, err := ReadMetadata(fstest.MapFS{segment0: whole, segment9: &cut}); err != nil {
		t.Error(err)
	}
}

func offset(group, topic string, partition int32, at int64) batch.Record {
	key := kmsg.OffsetCommitKey{Version: 1, Group: group, Topic: topic, Partition: partition}
	value := kmsg.NewOffsetCommitValue()
	value.Version, value.Offset, value.LeaderEpoch, value.Metadata = 3, at, 4, "m"
	return batch.Record{Key: key.AppendTo(nil), Value: value.AppendTo(nil)}
}

func transaction(base, producer int64, list ...batch.Record) batch.Batch {
	w := batch.NewBuilder()
	w.BaseOffset, w.ProducerID, w.Transactional = base, producer, true
	for _, r := range list {
		w.Add(r)
	}
	return w.Build()
}

func marker(base, producer int64, kind uint16) batch.Batch {
	w := batch.NewBuilder()
	w.BaseOffset, w.ProducerID, w.Transactional, w.Control = base, producer, true, true
	return w.Add(batch.Record{Key: binary.BigEndian.AppendUint16([]byte{0, 0}, kind), Value: make([]byte, 6)}).Build()
}

func TestOffsets(t *testing.T) {
	old := offset("g", "t", 0, 1)
	tombstone := offset("g", "dead", 0, 0)
	tombstone.Value = nil
	version0 := kmsg.OffsetCommitKey{Version: 0, Group: "g0", Topic: "t", Partition: 0}
	value0 := kmsg.NewOffsetCommitValue()
	value0.Version, value0.Offset = 1, 3
	group := batch.Record{Key: append([]byte{0, 2, 0, 1}, 'g'), Value: []byte("a group's metadata")}
	one := fstest.MapFS{
		"__consumer_offsets-7/00000000000000000000.log": file(
			records(0, old, offset("g", "dead", 0, 5), group),
			transaction(3, 100, offset("g", "t", 0, 20), offset("g", "t", 1, 21)),
			transaction(5, 200, offset("g", "t", 1, 99)),
			marker(6, 200, 0),
			records(7, offset("g", "t", 2, 30), tombstone),
			marker(9, 100, commitMarker),
			transaction(10, 300, offset("g", "t", 2, 99)), // never ended
			transaction(11, 400, offset("g", "t", 3, 40)), // to be committed
		),
		"__consumer_offsets-7/00000000000000000000.log.deleted": file(records(0, offset("x", "x", 0, 1))),
		"__consumer_offsets-7.abc-delete/0.log":                 file(),
		"t-0/00000000000000000000.log":                          file(records(0, old)),
	}
	two := fstest.MapFS{"__consumer_offsets-8/00000000000000000000.log": file(
		records(0, batch.Record{Key: version0.AppendTo(nil), Value: value0.AppendTo(nil)}),
	)}
	got, err := ReadOffsets(func(producer int64) bool { return producer == 400 }, one, two)
	if err != nil {
		t.Fatal(err)
	}
	want := []Commit{{"g", "t", 0, 20, 4, "m"}, {"g", "t", 1, 21, 4, "m"}, {"g", "t", 2, 30, 4, "m"}, {"g", "t", 3, 40, 4, "m"}, {"g0", "t", 0, 3, -1, ""}}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got  %v\nwant %v", got, want)
	}
}

func TestProperties(t *testing.T) {
	for contents, want := range map[string]Properties{
		"#x\n#y\nversion=1\ncluster.id=abc\nnode.id=4\n":   {"abc", "4"},
		"version = 0\r\nbroker.id = 2\r\ncluster.id = c=d": {"c=d", "2"},
		"version=2\n": {},
		"nonsense":    {},
	} {
		got, err := ReadProperties(fstest.MapFS{"meta.properties": &fstest.MapFile{Data: []byte(contents)}})
		if got != want || (err == nil) != (want != Properties{}) {
			t.Errorf("%q: %+v, %v", contents, got, err)
		}
	}
}

// FuzzMetadata: no bytes of a metadata log make the reader panic.
func FuzzMetadata(f *testing.F) {
	f.Add(topicOf("a", 1))
	f.Add(partitionOf(1, 3))
	f.Add(configOf(resourceTopic, "a", "k", null))
	f.Add(metadataRecord(producerIDsRecord, num32(1), num64(1), num64(3000)))
	f.Fuzz(func(t *testing.T, record []byte) {
		_, err := ReadMetadata(fstest.MapFS{segment0: file(values(0, topicOf("a", 1), partitionOf(1, 0), record))})
		if err != nil && !strings.Contains(err.Error(), "record") && !strings.Contains(err.Error(), "no partitions") {
			t.Fatal(err)
		}
	})
}

// FuzzOffsets: the same of the offsets topic, keys, values and whole files.
func FuzzOffsets(f *testing.F) {
	r := offset("g", "t", 0, 1)
	f.Add(r.Key, r.Value, false)
	f.Add(r.Key, []byte(nil), true)
	f.Fuzz(func(t *testing.T, key, value []byte, whole bool) {
		contents := file(records(0, batch.Record{Key: key, Value: value}))
		if whole {
			contents = &fstest.MapFile{Data: value}
		}
		_, _ = ReadOffsets(func(int64) bool { return true }, fstest.MapFS{"__consumer_offsets-0/00000000000000000000.log": contents})
	})
}
