package broker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"blumfeld/broker/config"
	"blumfeld/broker/kafkadir"
	"blumfeld/controller"
	"blumfeld/controller/group"
	"blumfeld/controller/txn"
	"blumfeld/logstore"
	"blumfeld/logstore/vfs"
	"blumfeld/protocol/batch"
)

// Import copies what a stopped Apache Kafka of one node has in its log directories into this broker's, which does not
// run either: topics with their ids and configurations, records, leader epochs, producers' state, committed offsets and
// transactional ids. A transaction that was decided is carried out; one that was open is aborted, and its producer fenced.
// Producer ids that are handed out from now on are above all that are found. Every batch is checked on the way. It
// tells out what it took over and what not; the source is not changed.
//
// The topics appear all at the end: until then the copies are folders that no topic claims, and an import that was cut
// off can be repeated. If it was cut off while they appeared, those that are here are left as they are, and the others
// come. Any other topic whose name exists here is an error, before anything is copied.
func Import(ctx context.Context, c Config, from []string, out io.Writer) (err error) {
	source, err := openSource(from)
	if err != nil {
		return err
	}
	b := newBroker(c)
	defer func() { err = errors.Join(err, b.end()) }()
	if err := b.refuseSame(from); err != nil {
		return err
	}
	if err := b.startOffline(ctx, source.clusterID); err != nil {
		return err
	}
	topics, err := b.missing(source.topics, out)
	if err != nil {
		return err
	}
	take, err := newIntake(b, out, source.nextProducerID)
	if err != nil {
		return err
	}
	for _, t := range topics {
		if err := take.topic(ctx, t); err != nil {
			return err
		}
	}
	// The topics last: when they are there, all is, and until then the import can be repeated.
	groups, err := b.commitAll(ctx, source.commits, take.topics)
	if err != nil {
		return err
	}
	// Before one is handed out, here or when this is repeated.
	if err := b.controller.ReserveProducerIDs(ctx, take.nextProducerID); err != nil {
		return err
	}
	if err := take.transactions(ctx, source.transactions); err != nil {
		return err
	}
	if err := take.adopt(ctx); err != nil {
		return err
	}
	fmt.Fprintf(out, "imported %d topics with %d partitions, %d record batches, offsets of %d groups, %d transactional ids\n",
		len(take.topics), take.partitions, take.batches, groups, take.transactionalIDs)
	for _, of := range slices.Sorted(maps.Keys(source.leftAlone)) {
		fmt.Fprintf(out, "not taken over: configuration of %s: %s\n", of, strings.Join(slices.Sorted(maps.Keys(source.leftAlone[of])), ", "))
	}
	for _, what := range slices.Sorted(maps.Keys(source.others)) {
		fmt.Fprintf(out, "not taken over: %d %s\n", source.others[what], what)
	}
	return nil
}

// source is what another broker's directories hold.
type source struct {
	clusterID      string
	topics         []sourceTopic
	nextProducerID int64
	commits        []kafkadir.Commit
	transactions   []kafkadir.Transaction
	leftAlone      map[string]map[string]string // configurations of what is no topic
	others         map[string]int               // kafkadir.Metadata's
}

// sourceTopic is a topic and where its logs lie.
type sourceTopic struct {
	kafkadir.Topic
	logs []sourceLog // by partition
}

type sourceLog struct {
	logstore.FoundLog
	dir   fs.FS
	path  string // of dir
	clean bool   // it was closed in order
	start int64  // the log's first offset, if above that of its first file
}

// openSource reads everything but records.
func openSource(paths []string) (*source, error) {
	s := &source{}
	var meta *kafkadir.Metadata
	var metaPath string
	var dirs []fs.FS
	var broker kafkadir.Properties
	logs := make(map[string][]sourceLog)
	for i, path := range paths {
		if err := refuseRunning(path); err != nil {
			return nil, err
		}
		dir := os.DirFS(path)
		dirs = append(dirs, dir)
		properties, err := kafkadir.ReadProperties(dir)
		if err != nil {
			return nil, fmt.Errorf("%s is no log directory of Apache Kafka: %w", path, err)
		}
		if i > 0 && properties != broker {
			return nil, fmt.Errorf("%s and %s are not of one broker: node %s of cluster %s, and node %s of cluster %s", paths[0], path,
				broker.NodeID, broker.ClusterID, properties.NodeID, properties.ClusterID)
		}
		broker, s.clusterID = properties, properties.ClusterID
		switch m, err := kafkadir.ReadMetadata(dir); {
		case err == nil && meta != nil:
			return nil, fmt.Errorf("%s is in both %s and %s", kafkadir.MetadataFolder, metaPath, path)
		case err == nil:
			meta, metaPath = m, path
		case !errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if err := listLogs(path, dir, logs); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	if meta == nil {
		return nil, fmt.Errorf("none of %s has %s: name metadata.log.dir too", strings.Join(paths, ", "), kafkadir.MetadataFolder)
	}
	s.nextProducerID, s.leftAlone, s.others = meta.NextProducerID, meta.Configs, meta.Others
	for _, t := range meta.Topics {
		if controller.IsInternalTopic(t.Name) {
			continue // its contents are in our metadata, in another form
		}
		found, err := logsOf(t, logs[t.Name])
		if err != nil {
			return nil, err
		}
		s.topics = append(s.topics, sourceTopic{t, found})
	}
	var err error
	if s.transactions, err = kafkadir.ReadTransactions(dirs...); err != nil {
		return nil, err
	}
	toCommit := make(map[int64]bool)
	for _, t := range s.transactions {
		s.nextProducerID = max(s.nextProducerID, t.ProducerID+1, t.NextProducerID+1)
		toCommit[t.ProducerID] = t.State == kafkadir.TransactionPrepareCommit
	}
	s.commits, err = kafkadir.ReadOffsets(func(producer int64) bool { return toCommit[producer] }, dirs...)
	return s, err
}

func listLogs(path string, dir fs.FS, logs map[string][]sourceLog) error {
	found, err := logstore.List(vfs.OS{}, path)
	if err != nil {
		return err
	}
	start, err := logstore.LogStarts(vfs.OS{}, path)
	if err != nil {
		return err
	}
	clean, err := logstore.WasClosedInOrder(vfs.OS{}, path)
	if err != nil {
		return err
	}
	for _, l := range found {
		logs[l.Topic] = append(logs[l.Topic], sourceLog{l, dir, path, clean, start(l.Topic, l.Partition)})
	}
	return nil
}

// logsOf puts the logs of a topic in order; each partition has to have one.
func logsOf(t kafkadir.Topic, found []sourceLog) ([]sourceLog, error) {
	byPartition := make(map[int32]sourceLog, len(found)) // not as many as the metadata claims
	for _, l := range found {
		if l.TopicID != t.ID {
			continue
		}
		if other, ok := byPartition[l.Partition]; ok {
			return nil, fmt.Errorf("partition %d of topic %s is in both %s and %s: move away the one that is not wanted",
				l.Partition, t.Name, other.path, l.path)
		}
		byPartition[l.Partition] = l
	}
	var logs []sourceLog
	for n := range t.Partitions {
		l, ok := byPartition[n]
		if !ok {
			return nil, fmt.Errorf("partition %d of topic %s is in none of the directories: "+
				"only a broker that has all partitions can be imported; name all its log.dirs", n, t.Name)
		}
		logs = append(logs, l)
	}
	return logs, nil
}

// missing is the topics that are not here yet. One of the same id came with an import that was cut off, unless all did.
func (b *broker) missing(topics []sourceTopic, out io.Writer) (rest []sourceTopic, err error) {
	var here []string
	for _, t := range topics {
		known, ok := b.controller.Image().Topic(t.Name)
		switch {
		case !ok:
			rest = append(rest, t)
		case known.ID != t.ID:
			return nil, fmt.Errorf("topic %s exists here already; nothing was imported", t.Name)
		default:
			here = append(here, t.Name)
		}
	}
	if len(here) > 0 && len(rest) == 0 {
		return nil, fmt.Errorf("topic %s exists here already, as do all others; nothing was imported", here[0])
	}
	if len(here) > 0 {
		fmt.Fprintf(out, "left as they are, since an earlier import brought them: %s\n", strings.Join(here, ", "))
	}
	return rest, nil
}

// intake copies logs in and remembers what to create for them.
type intake struct {
	b              *broker
	out            io.Writer
	topics         []controller.AdoptedTopic
	partitions     int
	batches        int64
	nextProducerID int64

	transactionalIDs int

	logs map[*logstore.Dir]int      // how many there are in each directory
	left map[string][]*logstore.Dir // where which folders were
}

func newIntake(b *broker, out io.Writer, nextProducerID int64) (*intake, error) {
	in := &intake{b: b, out: out, nextProducerID: nextProducerID, logs: make(map[*logstore.Dir]int), left: make(map[string][]*logstore.Dir)}
	for _, dir := range b.dirs {
		for _, l := range dir.Logs() {
			in.logs[dir]++
			in.left[l.Folder()] = append(in.left[l.Folder()], dir)
		}
		if err := dir.Offline(); err != nil { // it was not listed
			return nil, fmt.Errorf("log directory %s: %w", dir.Path(), err)
		}
	}
	return in, nil
}

func (in *intake) topic(ctx context.Context, t sourceTopic) error {
	adopted := controller.AdoptedTopic{Name: t.Name, ID: t.ID, Configs: in.configs(t.Topic)}
	for _, l := range t.logs {
		if err := ctx.Err(); err != nil {
			return err
		}
		epoch, err := in.log(l)
		if err != nil {
			return fmt.Errorf("%s: %w", filepath.Join(l.path, l.Folder()), err)
		}
		adopted.LeaderEpochs = append(adopted.LeaderEpochs, epoch)
		in.partitions++
	}
	in.topics = append(in.topics, adopted)
	return nil
}

// configs leaves out what this broker would refuse, and says so.
func (in *intake) configs(t kafkadir.Topic) map[string]string {
	taken := make(map[string]string, len(t.Configs))
	for _, key := range slices.Sorted(maps.Keys(t.Configs)) {
		if err := config.ValidateTopic(key, t.Configs[key]); err != nil {
			fmt.Fprintf(in.out, "not taken over: %s=%s of topic %s: %v\n", key, t.Configs[key], t.Name, err)
			continue
		}
		taken[key] = t.Configs[key]
	}
	return taken
}

// log checks and copies one log and answers the epoch in which it is led here.
func (in *intake) log(l sourceLog) (epoch int32, err error) {
	end := int64(-1)
	var epochs []logstore.EpochRun
	err = kafkadir.ReadLog(l.dir, l.Folder(), func(b batch.Batch) error {
		in.batches++
		end = b.LastOffset() + 1
		epochs = logstore.AppendEpochRun(epochs, b)
		if b.HasProducerID() {
			in.nextProducerID = max(in.nextProducerID, b.ProducerID()+1)
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	// A copy of an import that was cut off, which no topic claims, may be in any directory.
	for _, dir := range in.left[l.Folder()] {
		if err := dir.Stray(l.Topic, l.Partition); err != nil {
			return 0, err
		}
	}
	dir := slices.MinFunc(in.b.dirs, func(a, b *logstore.Dir) int { return in.logs[a] - in.logs[b] })
	in.logs[dir]++
	if err := dir.CopyIn(l.dir, l.FoundLog, l.clean); err != nil {
		return 0, err
	}
	log, err := in.b.openLog(dir, l.FoundLog)
	if err != nil {
		return 0, err
	}
	if got := log.Offsets().LogEnd; got != end && end >= 0 {
		return 0, fmt.Errorf("the copy ends at offset %d instead of %d", got, end)
	}
	if _, err := log.DeleteRecordsBefore(max(l.start, log.Offsets().LogStart)); err != nil {
		return 0, err
	}
	if rebuilt, err := log.CheckEpochs(epochs); err != nil {
		return 0, err
	} else if rebuilt {
		fmt.Fprintf(in.out, "%s: its leader-epoch-checkpoint is not what its records say; taken from the records\n", filepath.Join(l.path, l.Folder()))
	}
	return firstEpoch(log), nil
}

// transactions stores the transactional ids; the coordinator goes on with them when the broker is started.
func (in *intake) transactions(ctx context.Context, list []kafkadir.Transaction) error {
	ids := make([]txn.Adopted, len(list))
	for i, t := range list {
		ids[i] = txn.Adopted{
			TransactionalID: t.ID, State: txn.State(t.State), ProducerID: t.ProducerID, PreviousProducerID: t.PreviousProducerID,
			NextProducerID: t.NextProducerID, Epoch: t.Epoch, TimeoutMs: t.TimeoutMs, Version: t.Version, StartMs: t.StartMs, UpdatedMs: t.UpdatedMs,
		}
		for _, p := range t.Partitions {
			ids[i].Partitions = append(ids[i].Partitions, txn.TopicPartition(p))
		}
	}
	var next, end int64 // of the producer ids that are ours to give
	known, aborted, err := txn.Adopt(ctx, in.b.store, ids, func() (int64, error) {
		if next == end {
			first, count, err := in.b.controller.AllocateProducerIDs(ctx)
			if err != nil {
				return 0, err
			}
			next, end = first, first+int64(count)
		}
		next++
		return next - 1, nil
	})
	if err != nil {
		return err
	}
	for _, id := range known {
		fmt.Fprintf(in.out, "not taken over: transactional id %s, which exists here already\n", id)
	}
	for _, id := range aborted {
		fmt.Fprintf(in.out, "aborted, since it was open: the transaction of %s\n", id)
	}
	in.transactionalIDs = len(ids) - len(known)
	return nil
}

func (in *intake) adopt(ctx context.Context) error {
	results, _ := in.b.controller.AdoptTopics(ctx, in.topics)
	for _, r := range results {
		if r.Err != nil {
			return fmt.Errorf("topic %s: %w", r.Name, r.Err)
		}
	}
	return nil
}

// commitAll stores the offsets of the partitions that are among the topics, as a simple consumer would commit them.
func (b *broker) commitAll(ctx context.Context, commits []kafkadir.Commit, topics []controller.AdoptedTopic) (groups int, err error) {
	partitions := make(map[string]int32, len(topics))
	for _, t := range topics {
		partitions[t.Name] = int32(len(t.LeaderEpochs))
	}
	byGroup := make(map[string][]group.OffsetToCommit)
	for _, c := range commits {
		if c.Partition >= 0 && c.Partition < partitions[c.Topic] {
			byGroup[c.Group] = append(byGroup[c.Group], group.OffsetToCommit{
				Topic: c.Topic, Partition: c.Partition, Offset: c.Offset, LeaderEpoch: c.LeaderEpoch, Metadata: c.Metadata,
			})
		}
	}
	for name, offsets := range byGroup {
		select {
		case resp := <-b.groups.Commit(group.CommitRequest{Group: name, Generation: -1, Offsets: offsets}):
			if err := errors.Join(resp.Errs...); err != nil {
				return 0, fmt.Errorf("offsets of group %s: %w", name, err)
			}
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	return len(byGroup), nil
}
