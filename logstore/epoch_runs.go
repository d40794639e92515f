package logstore

import "blumfeld/protocol/batch"

// EpochRun is what the batches of a log say of a leader epoch: the offsets of the first and the last one that stand
// next to each other and are of that epoch.
type EpochRun struct {
	Epoch       int32
	First, Last int64
}

// AppendEpochRun adds a log's next batch to the runs of those before it. One that does not say its epoch, as those of
// old formats, is in none.
func AppendEpochRun(runs []EpochRun, b batch.Batch) []EpochRun {
	epoch := b.LeaderEpoch()
	if epoch < 0 {
		return runs
	}
	if n := len(runs); n > 0 && runs[n-1].Epoch == epoch {
		runs[n-1].Last = b.LastOffset()
		return runs
	}
	return append(runs, EpochRun{epoch, b.BaseOffset(), b.LastOffset()})
}

// CheckEpochs holds the leader epochs of a log that was copied in against those of all its batches. An epoch of which
// compaction has left no batch is believed. Where the two contradict each other, since the checkpoint was lost, or is
// older than the batches, the epochs become those of the batches: with others the log would tell a follower or a consumer
// to truncate where nothing was lost, or nothing where something was.
func (l *Log) CheckEpochs(runs []EpochRun) (rebuilt bool, err error) {
	if err := l.usable(); err != nil {
		return false, err
	}
	start, wrong := l.logStart.Load(), false
	for _, r := range runs {
		if r.Last < start {
			continue
		}
		first, _ := l.epochs.at(max(r.First, start))
		last, _ := l.epochs.at(r.Last)
		wrong = wrong || first != r.Epoch || last != r.Epoch
	}
	if !wrong {
		return false, nil
	}
	if err := l.touch(); err != nil {
		return false, err
	}
	l.epochs.clear()
	for _, r := range runs {
		l.epochs.assign(r.Epoch, r.First)
	}
	l.epochs.truncateFromStart(start)
	return true, nil
}
