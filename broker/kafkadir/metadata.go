package kafkadir

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kbin"

	"blumfeld/protocol/batch"
)

// MetadataFolder is the folder of KRaft's metadata log, in metadata.log.dir.
const MetadataFolder = "__cluster_metadata-0"

// Metadata is what the metadata log says, as far as it can be taken over.
type Metadata struct {
	Topics []Topic // by name
	// Configs are those of what is no topic, by resource: "broker 1", "broker (cluster-wide default)", …
	Configs map[string]map[string]string
	// NextProducerID is above every producer id that the cluster has handed out to a broker.
	NextProducerID int64
	// Others is how many there are of things that are not read, by what people call them.
	Others map[string]int
}

// Topic is one topic of the cluster.
type Topic struct {
	Name       string
	ID         [16]byte
	Partitions int32 // numbers 0 to Partitions-1
	Configs    map[string]string
}

// Types of resources in a ConfigRecord (Kafka's ConfigResource.Type).
const (
	resourceTopic         = 2
	resourceBroker        = 4
	resourceClientMetrics = 16
	resourceGroup         = 32
)

// Types of records (the apiKey of their schemas).
const (
	topicRecord       = 2
	partitionRecord   = 3
	configRecord      = 4
	removeTopicRecord = 9
	producerIDsRecord = 15
)

// frameVersion is the first number of each record's value (Kafka's AbstractApiMessageSerde).
const frameVersion = 1

// snapshotName: the end offset of what the snapshot holds, and the epoch of its last record.
var snapshotName = regexp.MustCompile(`^(\d{20})-\d{10}\.checkpoint$`)

// HasMetadata says whether fsys holds a MetadataFolder that is Apache Kafka's, with a metadata log in it.
func HasMetadata(fsys fs.FS) (bool, error) {
	entries, err := fs.ReadDir(fsys, MetadataFolder)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return slices.ContainsFunc(entries, isSegment), err
}

// ReadMetadata reads the newest snapshot of the metadata log and what came after it. fsys is the directory that holds
// MetadataFolder; an error wrapping fs.ErrNotExist says that it holds none.
func ReadMetadata(fsys fs.FS) (*Metadata, error) {
	entries, err := fs.ReadDir(fsys, MetadataFolder)
	if err != nil {
		return nil, err
	}
	r := replay{topics: make(map[[16]byte]*Topic), configs: make(map[resource]map[string]string), others: make(map[other]bool)}
	if !slices.ContainsFunc(entries, isSegment) {
		return nil, fmt.Errorf("%s has no segment of a metadata log: %w", MetadataFolder, fs.ErrNotExist)
	}
	snapshot, from := "", int64(0)
	for _, e := range entries { // in order of offsets: the last one is the newest
		if m := snapshotName.FindStringSubmatch(e.Name()); m != nil {
			snapshot = e.Name()
			if from, err = strconv.ParseInt(m[1], 10, 64); err != nil {
				return nil, fmt.Errorf("%s: %w", snapshot, err)
			}
		}
	}
	if snapshot != "" {
		if err := readFile(fsys, path.Join(MetadataFolder, snapshot), false, func(b batch.Batch) error { return r.batch(b, 0) }); err != nil {
			return nil, err
		}
	}
	if err := ReadLog(fsys, MetadataFolder, func(b batch.Batch) error { return r.batch(b, from) }); err != nil {
		return nil, err
	}
	return r.metadata()
}

// replay is the state that the records build.
type replay struct {
	topics         map[[16]byte]*Topic
	configs        map[resource]map[string]string
	nextProducerID int64
	others         map[other]bool
}

type resource struct {
	kind int8
	name string
}

// batch applies the records of a batch from an offset on.
func (r *replay) batch(b batch.Batch, from int64) error {
	if b.IsControl() || b.LastOffset() < from {
		return nil
	}
	for rec, err := range b.Records() {
		if err != nil {
			return err
		}
		if rec.Offset < from {
			continue
		}
		if err := r.apply(rec.Value); err != nil {
			return fmt.Errorf("metadata record at offset %d: %w", rec.Offset, err)
		}
	}
	return nil
}

var errMalformed = errors.New("cannot be decoded")

// apply applies one record. Those that say nothing of what Metadata has are passed over; so are
// the tagged fields at the end of each, which hold nothing that is needed here.
func (r *replay) apply(value []byte) error {
	in := kbin.Reader{Src: value}
	frame, kind, version := in.Uvarint(), in.Uvarint(), in.Uvarint()
	if !in.Ok() || frame != frameVersion {
		return fmt.Errorf("frame version %d, %d expected: %w", frame, frameVersion, errMalformed)
	}
	switch kind {
	case topicRecord:
		r.topic(&in)
	case partitionRecord:
		r.partition(&in)
	case configRecord:
		r.config(&in)
	case removeTopicRecord:
		id := in.Uuid()
		if t := r.topics[id]; t != nil {
			delete(r.configs, resource{resourceTopic, t.Name})
			delete(r.topics, id)
		}
	case producerIDsRecord:
		in.Int32() // broker
		in.Int64() // its epoch
		r.nextProducerID = max(r.nextProducerID, in.Int64())
	default:
		r.other(kind, &in)
	}
	if !in.Ok() {
		return fmt.Errorf("record of type %d, version %d: %w", kind, version, errMalformed)
	}
	return nil
}

func (r *replay) topic(in *kbin.Reader) {
	t := &Topic{Name: in.CompactString(), ID: in.Uuid()}
	if in.Ok() {
		r.topics[t.ID] = t
	}
}

func (r *replay) partition(in *kbin.Reader) {
	partition, id := in.Int32(), in.Uuid()
	if t := r.topics[id]; t != nil && in.Ok() {
		t.Partitions = max(t.Partitions, partition+1)
	}
}

func (r *replay) config(in *kbin.Reader) {
	of := resource{in.Int8(), in.CompactString()}
	key, value := in.CompactString(), in.CompactNullableString()
	switch {
	case !in.Ok():
	case value == nil:
		delete(r.configs[of], key)
	default:
		if r.configs[of] == nil {
			r.configs[of] = make(map[string]string)
		}
		r.configs[of][key] = *value
	}
}

func (r *replay) metadata() (*Metadata, error) {
	m := &Metadata{Configs: make(map[string]map[string]string), NextProducerID: r.nextProducerID, Others: r.countOthers()}
	for _, t := range r.topics {
		if t.Partitions <= 0 {
			return nil, fmt.Errorf("topic %q has no partitions", t.Name)
		}
		t.Configs = r.configs[resource{resourceTopic, t.Name}]
		m.Topics = append(m.Topics, *t)
	}
	slices.SortFunc(m.Topics, func(a, b Topic) int { return strings.Compare(a.Name, b.Name) })
	for of, configs := range r.configs {
		if of.kind != resourceTopic && len(configs) > 0 {
			m.Configs[of.String()] = maps.Clone(configs)
		}
	}
	return m, nil
}

// String names the resource for people.
func (r resource) String() string {
	name := r.name
	switch r.kind {
	case resourceBroker:
		if name == "" {
			name = "(cluster-wide default)"
		}
		return "broker " + name
	case resourceClientMetrics:
		return "client-metrics " + name
	case resourceGroup:
		return "group " + name
	}
	return fmt.Sprintf("resource of type %d %s", r.kind, name)
}
