package broker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"blumfeld/controller"
	"blumfeld/controller/txn"
	"blumfeld/logstore"
)

// Recover rebuilds metadata that is lost from the logs that are left: topics with their ids, partitions and leader
// epochs. What the logs do not say is gone and told: configurations of topics, committed offsets, groups. The metadata
// directory has to be empty; a damaged one is moved away first.
func Recover(ctx context.Context, c Config, out io.Writer) error {
	return c.rebuild(ctx, out, func(ctx context.Context, b *broker) error { return nil })
}

// rebuild fills an empty metadata store by fill, and then brings it together with the logs: a log that no topic claims
// gets its topic; leader epochs, producer ids and their epochs go on above those in the logs.
func (c Config) rebuild(ctx context.Context, out io.Writer, fill func(context.Context, *broker) error) (err error) {
	b := newBroker(c)
	defer func() { err = errors.Join(err, b.end()) }()
	b.ctx, b.cancel = context.WithCancel(context.WithoutCancel(ctx))
	if err := b.openDirs(logstore.OpenDir); err != nil {
		return err
	}
	if err := b.openStore(ctx); err != nil {
		return err
	}
	switch err := controller.BeginRebuild(ctx, b.store); {
	case errors.Is(err, controller.ErrInUse):
		return fmt.Errorf("the metadata in %s is not lost; move it away if it is to be replaced", b.Values.MetadataDir())
	case err != nil:
		return err
	}
	if err := fill(ctx, b); err != nil {
		return err
	}
	clusterID := ""
	for _, d := range b.dirs {
		clusterID = d.ClusterID()
	}
	if err := b.startController(ctx, clusterID); err != nil {
		return err
	}
	f := findings{epochs: make(map[controller.TopicRef][]int32), producers: make(map[int64]int16)}
	if err := f.read(ctx, b); err != nil {
		return err
	}
	if err := f.readFutures(b, out); err != nil {
		return err
	}
	adopted, err := f.reconcile(ctx, b.controller)
	if err != nil {
		return err
	}
	if err := txn.RaiseEpochs(ctx, b.store, f.producerEpoch); err != nil {
		return err
	}
	if err := controller.EndRebuild(ctx, b.store); err != nil {
		return err
	}
	adopted = slices.DeleteFunc(adopted, controller.IsInternalTopic) // nobody configures these
	fmt.Fprintf(out, "%d topics in the metadata, %d of them rebuilt from the logs\n", topicsIn(b.controller), len(adopted))
	if len(adopted) > 0 {
		fmt.Fprintf(out, "rebuilt, with the default configuration and without committed offsets: %s\n", strings.Join(adopted, ", "))
	}
	return nil
}

// findings is what the logs say.
type findings struct {
	epochs         map[controller.TopicRef][]int32 // by topic, name and id: the first epoch for each partition; 0 where there is no log
	producers      map[int64]int16                 // their highest epochs
	nextProducerID int64
}

func (f *findings) read(ctx context.Context, b *broker) error {
	for _, dir := range b.dirs {
		for _, found := range dir.Logs() {
			if err := ctx.Err(); err != nil {
				return err
			}
			log, err := b.openLog(dir, found)
			if err != nil {
				return fmt.Errorf("%s in %s: %w", found.Folder(), dir.Path(), err)
			}
			f.add(log)
		}
		if err := dir.Offline(); err != nil { // it was not listed, or not to its end
			return fmt.Errorf("log directory %s: %w", dir.Path(), err)
		}
	}
	return nil
}

// readFutures deals with the copies of logs that were on their way to another directory (see logstore/future.go) as a
// start does. Where the log is here, the next start goes on. Where it is gone, with the directory that it was in, the
// copy is what is left, and becomes the log. One of another topic of that name is left for the start to remove.
func (f *findings) readFutures(b *broker, out io.Writer) error {
	here := make(map[string]bool)
	for _, dir := range b.dirs {
		for _, found := range dir.Logs() {
			here[found.Folder()] = true
		}
	}
	for _, dir := range b.dirs {
		for _, future := range dir.Futures() {
			if here[future.Folder()] || f.isOther(b.controller, controller.TopicRef{Name: future.Topic, ID: future.TopicID}) {
				continue
			}
			if err := dir.AdoptFuture(future); err != nil {
				return err
			}
			here[future.Folder()] = true
			log, err := b.openLog(dir, future.FoundLog)
			if err != nil {
				return fmt.Errorf("%s in %s: %w", future.Folder(), dir.Path(), err)
			}
			f.add(log)
			fmt.Fprintf(out, "the log of %s is gone; the copy of it that was under way in %s takes its place, and may lack the newest records\n",
				future.Folder(), dir.Path())
		}
		if err := dir.Offline(); err != nil {
			return fmt.Errorf("log directory %s: %w", dir.Path(), err)
		}
	}
	return nil
}

// isOther says whether the metadata or the logs know another topic by that name.
func (f *findings) isOther(c *controller.Controller, ref controller.TopicRef) bool {
	if t, ok := c.Image().Topic(ref.Name); ok {
		return t.ID != ref.ID
	}
	for known := range f.epochs {
		if known.Name == ref.Name && known.ID != ref.ID {
			return true
		}
	}
	return false
}

func (f *findings) add(log *logstore.Log) {
	ref := controller.TopicRef{Name: log.Topic(), ID: log.TopicID()}
	epochs, n := f.epochs[ref], int(log.Partition())
	if missing := n + 1 - len(epochs); missing > 0 {
		epochs = append(epochs, make([]int32, missing)...)
	}
	epochs[n] = max(epochs[n], firstEpoch(log)) // a move that a crash has cut off leaves two logs
	f.epochs[ref] = epochs
	for _, p := range log.Producers() {
		f.nextProducerID = max(f.nextProducerID, p.ProducerID+1)
		if epoch, known := f.producers[p.ProducerID]; !known || p.Epoch > epoch {
			f.producers[p.ProducerID] = p.Epoch
		}
	}
}

// producerEpoch is the highest epoch of a producer in any log; -1: none knows it.
func (f *findings) producerEpoch(id int64) int16 {
	if epoch, ok := f.producers[id]; ok {
		return epoch
	}
	return -1
}

// reconcile returns the names of the topics that it created.
func (f *findings) reconcile(ctx context.Context, c *controller.Controller) (adopted []string, err error) {
	var topics []controller.AdoptedTopic
	for ref, epochs := range f.epochs {
		if t, ok := c.Image().Topic(ref.Name); !ok {
			topics = append(topics, controller.AdoptedTopic{Name: ref.Name, ID: ref.ID, LeaderEpochs: epochs})
		} else if t.ID != ref.ID {
			return nil, fmt.Errorf("logs of topic %s have the id %s, the metadata says %s: move away those that are not wanted",
				ref.Name, controller.FormatID(ref.ID), controller.FormatID(t.ID))
		}
	}
	slices.SortFunc(topics, func(a, b controller.AdoptedTopic) int { return strings.Compare(a.Name, b.Name) })
	for i, t := range topics {
		if i > 0 && t.Name == topics[i-1].Name {
			return nil, fmt.Errorf("logs of topic %s have different ids: move away those that are not wanted", t.Name)
		}
	}
	results, rev := c.AdoptTopics(ctx, topics)
	for _, r := range results {
		if r.Err != nil {
			return nil, fmt.Errorf("topic %s: %w", r.Name, r.Err)
		}
		adopted = append(adopted, r.Name)
	}
	if _, err := c.WaitRevision(ctx, rev); err != nil {
		return nil, err
	}
	if _, err := c.RaiseLeaderEpochs(ctx, func(t *controller.Topic, partition int32) int32 {
		epochs := f.epochs[controller.TopicRef{Name: t.Name, ID: t.ID}]
		if int(partition) < len(epochs) {
			return epochs[partition]
		}
		return 0
	}); err != nil {
		return nil, err
	}
	return adopted, c.ReserveProducerIDs(ctx, f.nextProducerID)
}

// topicsIn counts the topics that users made.
func topicsIn(c *controller.Controller) (n int) {
	for t := range c.Image().Topics() {
		if !t.Internal {
			n++
		}
	}
	return n
}
