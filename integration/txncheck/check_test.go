package txncheck

import (
	"slices"
	"testing"
)

var (
	in0  = TP{"in", 0}
	in1  = TP{"in", 1}
	out0 = TP{"out", 0}
)

// Transactions of the sound history.
const (
	plain     = iota // a record by itself
	both             // one record in each partition
	undone           // aborted, two records in one partition
	unheard          // whoever committed it never got the answer
	processed        // what the group made of in0
	given            // the group's transaction that was aborted
	again            // what the group made of in1
	unsent           // a record whose fate its producer does not know
)

func data(offset int64, pid int64, txn, n int) Entry {
	return Entry{Record: Record{offset, txn, n}, ProducerID: pid, Transactional: pid != 0}
}

func marker(offset, pid int64, c Control) Entry {
	return Entry{Record: Record{Offset: offset}, ProducerID: pid, Transactional: true, Control: c}
}

// sound is a history without anomalies, with all that there may be in one.
func sound() *History {
	h := &History{
		Txns: []Txn{
			plain:     {Producer: 1, Writes: []Write{{To: in0}}, Outcome: Committed, Asked: 1},
			both:      {Producer: 2, Writes: []Write{{To: in0}, {To: in1}}, Outcome: Committed, Asked: 10},
			undone:    {Producer: 2, Writes: []Write{{To: in1}, {To: in1}}, Outcome: Aborted},
			unheard:   {Producer: 2, Writes: []Write{{To: in1}, {To: in1}}, Asked: 20},
			processed: {Producer: 3, Group: "g", Writes: []Write{{out0, in0, 0}, {out0, in0, 1}}, Outcome: Committed, Asked: 30},
			given:     {Producer: 3, Group: "g", Writes: []Write{{out0, in1, 0}}, Outcome: Aborted, Asked: 40},
			again:     {Producer: 3, Group: "g", Writes: []Write{{out0, in1, 0}, {out0, in1, 4}, {out0, in1, 5}}, Outcome: Committed, Asked: 50},
			unsent:    {Producer: 1, Writes: []Write{{To: in0}}, Asked: 2},
		},
		Log: map[TP][]Entry{
			in0: {data(0, 0, plain, 0), data(1, 7, both, 0), marker(2, 7, CommitMarker)},
			in1: {data(0, 7, both, 1), data(1, 7, undone, 0), marker(2, 7, CommitMarker), marker(3, 7, AbortMarker),
				data(4, 7, unheard, 0), data(5, 7, unheard, 1), marker(6, 7, CommitMarker)},
			out0: {data(0, 8, processed, 0), data(1, 8, processed, 1), marker(2, 8, CommitMarker), data(3, 8, given, 0), marker(4, 8, AbortMarker),
				data(5, 8, again, 0), data(6, 8, again, 1), data(7, 8, again, 2), marker(8, 8, CommitMarker)},
		},
		Visible: map[TP][]Record{
			in0:  {{0, plain, 0}, {1, both, 0}},
			in1:  {{0, both, 1}, {4, unheard, 0}, {5, unheard, 1}},
			out0: {{0, processed, 0}, {1, processed, 1}, {5, again, 0}, {6, again, 1}, {7, again, 2}},
		},
		Ends:   map[TP]End{in0: {3, 3}, in1: {7, 7}, out0: {9, 9}},
		Groups: map[string]map[TP]int64{"g": {in0: 2, in1: 6}},
	}
	// The aborted transaction of in1 begins after the marker of the one before.
	h.Log[in1][1], h.Log[in1][2] = marker(1, 7, CommitMarker), data(2, 7, undone, 0)
	h.Readers = []Reader{
		{Name: "reader", Seen: map[TP][]Sighting{
			in0:  {{Record{0, plain, 0}, 3}, {Record{1, both, 0}, 11}},
			in1:  {{Record{0, both, 1}, 12}, {Record{4, unheard, 0}, 21}, {Record{5, unheard, 1}, 21}},
			out0: {{Record{0, processed, 0}, 31}, {Record{1, processed, 1}, 31}, {Record{5, again, 0}, 51}, {Record{6, again, 1}, 51}, {Record{7, again, 2}, 52}},
		}},
		{Name: "members of g", Jumps: true, Seen: map[TP][]Sighting{
			in0: {{Record{0, plain, 0}, 3}, {Record{1, both, 0}, 11}, {Record{0, plain, 0}, 13}},
			in1: {{Record{4, unheard, 0}, 21}},
		}},
	}
	return h
}

func TestSoundHistory(t *testing.T) {
	for _, a := range Check(sound()) {
		t.Error(a)
	}
}

func remove[T any](list *[]T, i int) { *list = slices.Delete(slices.Clone(*list), i, i+1) }

// hide takes a record out of all that was read, in the end and before.
func hide(h *History, tp TP, offset int64) {
	h.Visible[tp] = slices.DeleteFunc(slices.Clone(h.Visible[tp]), func(r Record) bool { return r.Offset == offset })
	for _, r := range h.Readers {
		r.Seen[tp] = slices.DeleteFunc(slices.Clone(r.Seen[tp]), func(s Sighting) bool { return s.Offset == offset })
	}
}

func edit[K comparable, V any](m map[K][]V, key K, change func(list *[]V)) {
	list := slices.Clone(m[key])
	change(&list)
	m[key] = list
}

// Each way in which a history can be wrong, and what is said of it.
func TestAnomalies(t *testing.T) {
	cases := []struct {
		name  string
		spoil func(h *History)
		want  []Kind // all that are found, in alphabetical order, each once
	}{
		{"an aborted record is shown in the end", func(h *History) {
			edit(h.Visible, in1, func(list *[]Record) { *list = slices.Insert(*list, 1, Record{2, undone, 0}) })
		}, []Kind{AbortedRead, Skipped, Unprocessed}},
		{"an aborted record was shown to a reader", func(h *History) {
			edit(h.Readers[0].Seen, in1, func(list *[]Sighting) { *list = slices.Insert(*list, 1, Sighting{Record{2, undone, 0}, 13}) })
		}, []Kind{AbortedRead}},
		{"an aborted record was shown to a member of a group", func(h *History) {
			edit(h.Readers[1].Seen, in1, func(list *[]Sighting) { *list = append(*list, Sighting{Record{2, undone, 0}, 13}) })
		}, []Kind{AbortedRead}},
		{"an aborted transaction has a commit marker", func(h *History) {
			h.Log[in1][3].Control = CommitMarker
			edit(h.Visible, in1, func(list *[]Record) { *list = slices.Insert(*list, 1, Record{2, undone, 0}) })
			edit(h.Readers[0].Seen, in1, func(list *[]Sighting) { *list = slices.Insert(*list, 1, Sighting{Record{2, undone, 0}, 13}) })
			h.Groups["g"][in1] = 2
		}, []Kind{AbortedRead, NoOffset, Unprocessed}},
		{"an output of an aborted record", func(h *History) {
			h.Txns[again].Writes[1].Offset = 2
		}, []Kind{AbortedRead, Unprocessed}},
		{"a reader saw a record before its commit was asked for", func(h *History) {
			h.Readers[0].Seen[in0][1].At = 9
		}, []Kind{IntermediateRead}},
		{"a reader saw a record of which nothing is left", func(h *History) {
			h.Txns[unheard].Outcome = Unknown
			h.Log[in1][6].Control = AbortMarker
			h.Visible[in1] = h.Visible[in1][:1]
			h.Txns[again].Writes = h.Txns[again].Writes[:1]
			h.Log[out0][6], h.Log[out0][7] = marker(6, 8, CommitMarker), marker(7, 8, CommitMarker)
			hide(h, out0, 6)
			hide(h, out0, 7)
		}, []Kind{AbortedRead}},
		{"a record of an open transaction is shown in the end", func(h *History) {
			h.Log[in0][2] = marker(2, 9, CommitMarker)
		}, []Kind{IntermediateRead}},
		{"a committed transaction is not there", func(h *History) {
			h.Log[in0][0] = marker(0, 9, AbortMarker)
			hide(h, in0, 0)
			h.Log[out0][0] = marker(0, 9, AbortMarker)
			hide(h, out0, 0)
			remove(&h.Txns[processed].Writes, 0)
			h.Log[out0][1].N, h.Visible[out0][0].N, h.Readers[0].Seen[out0][0].N = 0, 0, 0
		}, []Kind{LostWrite}},
		{"a committed transaction has abort markers", func(h *History) {
			h.Log[out0][8].Control = AbortMarker
			for _, offset := range []int64{5, 6, 7} {
				hide(h, out0, offset)
			}
			h.Groups["g"][in1] = 0
		}, []Kind{LostWrite, Unprocessed}},
		{"a record lies twice in the log", func(h *History) {
			h.Log[in0] = append(h.Log[in0], data(3, 0, plain, 0))
			h.Ends[in0] = End{4, 4}
			h.Visible[in0] = append(h.Visible[in0], Record{3, plain, 0})
			edit(h.Readers[0].Seen, in0, func(list *[]Sighting) { *list = append(*list, Sighting{Record{3, plain, 0}, 60}) })
			h.Groups["g"][in0] = 2
		}, []Kind{Duplicate, Unprocessed}},
		{"an aborted record lies twice in the log", func(h *History) {
			h.Log[in1][0] = data(0, 0, both, 1)
			h.Log[in1][1] = data(1, 7, undone, 0)
		}, []Kind{Duplicate}},
		{"one of two partitions of a committed transaction is not committed", func(h *History) {
			h.Log[in0][2].Control = AbortMarker
			hide(h, in0, 1)
			hide(h, out0, 1)
			h.Txns[processed].Writes = h.Txns[processed].Writes[:1]
			h.Log[out0][1] = marker(1, 8, CommitMarker)
		}, []Kind{Torn}},
		{"half of a transaction whose end nobody knows", func(h *History) {
			h.Log[in1][5] = marker(5, 9, AbortMarker)
			hide(h, in1, 5)
			h.Txns[again].Writes = h.Txns[again].Writes[:2]
			h.Log[out0][7] = marker(7, 8, CommitMarker)
			hide(h, out0, 7)
		}, []Kind{Torn}},
		{"a producer's records are in another order", func(h *History) {
			h.Log[in1][4].N, h.Log[in1][5].N = 1, 0
			h.Visible[in1][1].N, h.Visible[in1][2].N = 1, 0
			h.Readers[0].Seen[in1][1].N, h.Readers[0].Seen[in1][2].N = 1, 0
			h.Readers[1].Seen[in1] = nil
		}, []Kind{OutOfOrder}},
		{"a producer's transactions are in another order", func(h *History) {
			h.Txns[plain].Producer = 2
			h.Log[in0][0], h.Log[in0][1] = data(0, 7, both, 0), data(1, 7, plain, 0)
			h.Visible[in0] = []Record{{0, both, 0}, {1, plain, 0}}
			h.Readers[0].Seen[in0] = []Sighting{{Record{0, both, 0}, 11}, {Record{1, plain, 0}, 12}}
			h.Readers[1].Seen[in0] = nil
		}, []Kind{OutOfOrder}},
		{"a record that nobody wrote", func(h *History) {
			h.Log[in0][0].Txn, h.Visible[in0][0].Txn, h.Readers[0].Seen[in0][0].Txn, h.Txns[plain].Outcome = 99, 99, 99, Unknown
			h.Readers[1].Seen[in0] = nil
		}, []Kind{Unwritten}},
		{"a record in another partition", func(h *History) {
			h.Txns[unsent].Writes[0].To = in1
			h.Txns[plain].Outcome = Unknown
			h.Log[in0][0].Txn, h.Visible[in0][0].Txn, h.Readers[0].Seen[in0][0].Txn = unsent, unsent, unsent
			h.Readers[1].Seen[in0] = nil
		}, []Kind{Unwritten}},
		{"an offset is missing", func(h *History) {
			h.Log[in0][2].Offset = 3
			h.Ends[in0] = End{4, 4}
		}, []Kind{Gap}},
		{"the log ends before the high watermark", func(h *History) {
			h.Ends[in0] = End{4, 4}
		}, []Kind{Gap}},
		{"the last stable offset does not move", func(h *History) {
			h.Ends[out0] = End{8, 9}
		}, []Kind{Hung}},
		{"an offset has had another record", func(h *History) {
			h.Readers[0].Seen[in1][1].N = 1
		}, []Kind{Changed}},
		{"an offset is shown with another record than the log has", func(h *History) {
			h.Visible[in1][1].N, h.Visible[in1][2].N = 1, 0
			h.Readers[0].Seen[in1][1].N, h.Readers[0].Seen[in1][2].N = 1, 0
			h.Readers[1].Seen[in1] = nil
		}, []Kind{Changed}},
		{"a reader passed over a record", func(h *History) {
			edit(h.Readers[0].Seen, in1, func(list *[]Sighting) { remove(list, 1) })
		}, []Kind{Skipped}},
		{"a reader never came to the end", func(h *History) {
			edit(h.Readers[0].Seen, in1, func(list *[]Sighting) { remove(list, 2) })
		}, []Kind{Skipped}},
		{"what is committed in the log is not shown", func(h *History) {
			hide(h, in0, 0)
			h.Txns[plain].Outcome = Unknown
			h.Readers[1].Seen[in0] = nil
			h.Log[out0][0] = marker(0, 9, AbortMarker)
			hide(h, out0, 0)
			remove(&h.Txns[processed].Writes, 0)
			h.Log[out0][1].N, h.Visible[out0][0].N, h.Readers[0].Seen[out0][0].N = 0, 0, 0
		}, []Kind{Skipped}},
		{"a reader went back", func(h *History) {
			edit(h.Readers[0].Seen, in0, func(list *[]Sighting) { *list = append(*list, Sighting{Record{0, plain, 0}, 60}) })
		}, []Kind{WentBack}},
		{"an input was processed twice", func(h *History) {
			h.Txns[given].Outcome = Unknown
			h.Log[out0][4].Control = CommitMarker
			edit(h.Visible, out0, func(list *[]Record) { *list = slices.Insert(*list, 2, Record{3, given, 0}) })
			edit(h.Readers[0].Seen, out0, func(list *[]Sighting) { *list = slices.Insert(*list, 2, Sighting{Record{3, given, 0}, 41}) })
		}, []Kind{ProcessedTwice}},
		{"offsets were committed, their outputs were not", func(h *History) {
			h.Txns[again].Outcome = Unknown
			h.Log[out0][8].Control = AbortMarker
			for _, offset := range []int64{5, 6, 7} {
				hide(h, out0, offset)
			}
		}, []Kind{Unprocessed}},
		{"a group never came to an input", func(h *History) {
			h.Txns[again].Outcome = Unknown
			h.Log[out0][8].Control = AbortMarker
			for _, offset := range []int64{5, 6, 7} {
				hide(h, out0, offset)
			}
			h.Groups["g"][in1] = 0
		}, []Kind{Unprocessed}},
		{"outputs were committed, their offsets were not", func(h *History) {
			h.Groups["g"][in0] = 1
		}, []Kind{NoOffset}},
	}
	found := make(map[Kind]bool)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h := sound()
			c.spoil(h)
			list := Check(h)
			var got []Kind
			for _, a := range list {
				got = append(got, a.Kind)
				found[a.Kind] = true
			}
			slices.Sort(got)
			if got = slices.Compact(got); !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q:\n%v", got, c.want, list)
			}
		})
	}
	for _, k := range []Kind{AbortedRead, IntermediateRead, LostWrite, Duplicate, Torn, OutOfOrder, Unwritten, Gap, Hung, Changed, Skipped, WentBack, ProcessedTwice, Unprocessed, NoOffset} {
		if !found[k] {
			t.Errorf("no case has a %q", k)
		}
	}
}
