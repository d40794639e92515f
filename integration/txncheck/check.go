package txncheck

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// Kind is a kind of anomaly.
type Kind string

const (
	AbortedRead      Kind = "aborted read"      // of a record whose transaction was not committed; Adya's G1a
	IntermediateRead Kind = "intermediate read" // of a record before anybody asked for its commit; Adya's G1b
	LostWrite        Kind = "lost write"        // committed, and not to be read
	Duplicate        Kind = "duplicate"         // written once, and twice in the log
	Torn             Kind = "torn transaction"  // a part of a transaction is visible
	OutOfOrder       Kind = "out of order"      // a producer's records in one partition, against the order in which it wrote them
	Unwritten        Kind = "unwritten"         // a record that nobody wrote, or not there
	Gap              Kind = "gap"               // in the log's offsets
	Hung             Kind = "hung transaction"  // open, long after it should have ended
	Changed          Kind = "changed"           // an offset had one record, and then had another
	Skipped          Kind = "skipped"           // a reader was not shown what it should have seen
	WentBack         Kind = "went back"         // a reader saw a lower offset after a higher one
	ProcessedTwice   Kind = "processed twice"   // two visible outputs of one input
	Unprocessed      Kind = "unprocessed"       // the group's offset is beyond an input without output, or never came to it
	NoOffset         Kind = "output without its offset"
)

// Anomaly is something that must not be.
type Anomaly struct {
	Kind Kind
	Text string // where, and what
}

func (a Anomaly) String() string { return string(a.Kind) + ": " + a.Text }

// Check returns all anomalies of a history.
func Check(h *History) []Anomaly {
	c := &checker{History: h, visible: make(map[TP]map[int64]Record)}
	c.partitions = slices.SortedFunc(maps.Keys(h.Log), func(a, b TP) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	for _, tp := range c.partitions {
		c.log(tp)
		c.ended(tp)
		c.shown(tp)
	}
	c.whole()
	for _, name := range slices.Sorted(maps.Keys(h.Groups)) {
		c.group(name)
	}
	for _, r := range h.Readers {
		for _, tp := range c.partitions {
			c.reader(r, tp)
		}
	}
	return c.found
}

type checker struct {
	*History
	partitions []TP
	visible    map[TP]map[int64]Record // by offset
	found      []Anomaly
}

func (c *checker) add(k Kind, format string, args ...any) {
	c.found = append(c.found, Anomaly{k, fmt.Sprintf(format, args...)})
}

// written says whether a record in tp was sent there, and if not that it is an anomaly.
func (c *checker) written(tp TP, r Record) bool {
	if r.Txn < 0 || r.Txn >= len(c.Txns) || r.N < 0 || r.N >= len(c.Txns[r.Txn].Writes) || c.Txns[r.Txn].Writes[r.N].To != tp {
		c.add(Unwritten, "%v, offset %d: record %d of transaction %d", tp, r.Offset, r.N, r.Txn)
		return false
	}
	return true
}

type recordID struct{ txn, n int }

// log checks what lies in a partition: no gap, no record twice, those of each producer in order.
func (c *checker) log(tp TP) {
	at := make(map[recordID]int64)
	last := make(map[int]Record) // by producer
	next := int64(0)
	for _, e := range c.Log[tp] {
		if e.Offset != next {
			c.add(Gap, "%v: offset %d comes after %d", tp, e.Offset, next-1)
		}
		next = e.Offset + 1
		if e.Control != NoControl || !c.written(tp, e.Record) {
			continue
		}
		id := recordID{e.Txn, e.N}
		if first, ok := at[id]; ok {
			c.add(Duplicate, "%v: record %d of transaction %d (%v) at offsets %d and %d", tp, e.N, e.Txn, c.Txns[e.Txn].Outcome, first, e.Offset)
			continue
		}
		at[id] = e.Offset
		producer := c.Txns[e.Txn].Producer
		if prior, ok := last[producer]; ok && (prior.Txn > e.Txn || prior.Txn == e.Txn && prior.N > e.N) {
			c.add(OutOfOrder, "%v: %s: record %d of transaction %d at offset %d comes after record %d of transaction %d", tp, c.Txns[e.Txn].Name, e.N, e.Txn, e.Offset, prior.N, prior.Txn)
		}
		last[producer] = e.Record
	}
	if end := c.Ends[tp]; next != end.HighWatermark {
		c.add(Gap, "%v: offset %d is the last, the high watermark %d", tp, next-1, end.HighWatermark)
	}
}

// ended checks that no transaction is open.
func (c *checker) ended(tp TP) {
	if end := c.Ends[tp]; end.LastStable != end.HighWatermark {
		c.add(Hung, "%v: the last stable offset is %d, the high watermark %d", tp, end.LastStable, end.HighWatermark)
	}
}

// shown checks the final read against the markers in the log.
func (c *checker) shown(tp TP) {
	const decided, aborted, undecided = 1, 2, 3
	state := make(map[int64]int)    // of data, by offset
	open := make(map[int64][]Entry) // by producer id
	for _, e := range c.Log[tp] {
		switch {
		case e.Control != NoControl:
			for _, o := range open[e.ProducerID] {
				state[o.Offset] = decided
				if e.Control == AbortMarker {
					state[o.Offset] = aborted
				}
			}
			delete(open, e.ProducerID)
		case e.Transactional:
			state[e.Offset] = undecided
			open[e.ProducerID] = append(open[e.ProducerID], e)
		default:
			state[e.Offset] = decided
		}
	}
	visible := make(map[int64]Record, len(c.Visible[tp]))
	c.visible[tp] = visible
	for _, r := range c.Visible[tp] {
		visible[r.Offset] = r
		switch state[r.Offset] {
		case aborted:
			c.add(AbortedRead, "%v, offset %d: record %d of transaction %d is shown, an abort marker follows it", tp, r.Offset, r.N, r.Txn)
		case undecided:
			c.add(IntermediateRead, "%v, offset %d: record %d of transaction %d is shown, no marker follows it", tp, r.Offset, r.N, r.Txn)
		case 0:
			c.add(Unwritten, "%v, offset %d: record %d of transaction %d is shown, and not in the log", tp, r.Offset, r.N, r.Txn)
		}
	}
	for _, e := range c.Log[tp] {
		r, ok := visible[e.Offset]
		switch {
		case e.Control != NoControl:
		case !ok && state[e.Offset] == decided && e.Offset < c.Ends[tp].LastStable:
			c.add(Skipped, "%v, offset %d: record %d of transaction %d is committed in the log, and not shown", tp, e.Offset, e.N, e.Txn)
		case ok && r != e.Record:
			c.add(Changed, "%v, offset %d: record %d of transaction %d is shown, the log has record %d of transaction %d", tp, e.Offset, r.N, r.Txn, e.N, e.Txn)
		}
	}
}

// whole checks each transaction: all or nothing of it is visible, and which, if its client knows.
func (c *checker) whole() {
	seen := make(map[recordID]bool)
	for _, tp := range c.partitions {
		for _, r := range c.Visible[tp] {
			seen[recordID{r.Txn, r.N}] = true
		}
	}
	for i, txn := range c.Txns {
		var shown, hidden []string
		for n, w := range txn.Writes {
			text := fmt.Sprintf("%d (%v)", n, w.To)
			if seen[recordID{i, n}] {
				shown = append(shown, text)
			} else {
				hidden = append(hidden, text)
			}
		}
		switch {
		case len(shown) > 0 && txn.Outcome == Aborted:
			c.add(AbortedRead, "transaction %d of %s is aborted, its records %v are shown", i, txn.Name, shown)
		case len(shown) > 0 && len(hidden) > 0:
			c.add(Torn, "transaction %d of %s is %v: of its records %v are shown, not %v", i, txn.Name, txn.Outcome, shown, hidden)
		case len(hidden) > 0 && txn.Outcome == Committed:
			c.add(LostWrite, "transaction %d of %s is committed, none of its records %v is shown", i, txn.Name, hidden)
		}
	}
}

// group checks that its offsets are those of its outputs: each visible input has one visible output.
func (c *checker) group(name string) {
	type input struct {
		TP
		offset int64
	}
	outputs := make(map[input][]int) // transactions
	for _, tp := range c.partitions {
		for _, r := range c.Visible[tp] {
			if r.Txn >= 0 && r.Txn < len(c.Txns) && c.Txns[r.Txn].Group == name && r.N >= 0 && r.N < len(c.Txns[r.Txn].Writes) {
				w := c.Txns[r.Txn].Writes[r.N]
				in := input{w.From, w.Offset}
				outputs[in] = append(outputs[in], r.Txn)
				if _, ok := c.visible[w.From][w.Offset]; !ok {
					c.add(AbortedRead, "group %s: transaction %d has a visible output of %v, offset %d, which is not visible itself", name, r.Txn, w.From, w.Offset)
				}
			}
		}
	}
	for _, tp := range c.partitions {
		committed, ok := c.Groups[name][tp]
		if !ok {
			continue
		}
		for _, r := range c.Visible[tp] {
			switch txns := outputs[input{tp, r.Offset}]; {
			case len(txns) > 1:
				c.add(ProcessedTwice, "group %s: %v, offset %d, in transactions %v", name, tp, r.Offset, txns)
			case len(txns) == 1 && r.Offset >= committed:
				c.add(NoOffset, "group %s: %v, offset %d, in transaction %v; the committed offset is %d", name, tp, r.Offset, txns, committed)
			case len(txns) == 0 && r.Offset < committed:
				c.add(Unprocessed, "group %s: %v, offset %d has no output; the committed offset is %d", name, tp, r.Offset, committed)
			case len(txns) == 0:
				c.add(Unprocessed, "group %s: %v, offset %d was never come to; the committed offset is %d", name, tp, r.Offset, committed)
			}
		}
	}
}

// reader checks what a reader saw of a partition as it went.
func (c *checker) reader(r Reader, tp TP) {
	last := int64(-1)
	seen := make(map[int64]bool)
	for _, s := range r.Seen[tp] {
		if !r.Jumps && s.Offset <= last {
			c.add(WentBack, "%s: %v: offset %d after %d", r.Name, tp, s.Offset, last)
		}
		last = s.Offset
		seen[s.Offset] = true
		if !c.written(tp, s.Record) {
			continue
		}
		txn := c.Txns[s.Txn]
		now, ok := c.visible[tp][s.Offset]
		switch {
		case ok && now != s.Record:
			c.add(Changed, "%s: %v, offset %d: record %d of transaction %d was seen, now it is record %d of transaction %d", r.Name, tp, s.Offset, s.N, s.Txn, now.N, now.Txn)
		case txn.Outcome == Aborted:
			c.add(AbortedRead, "%s: %v, offset %d: record %d of transaction %d, which is aborted", r.Name, tp, s.Offset, s.N, s.Txn)
		case s.At < txn.Asked:
			c.add(IntermediateRead, "%s: %v, offset %d: record %d of transaction %d, before its commit was asked for", r.Name, tp, s.Offset, s.N, s.Txn)
		case !ok:
			c.add(AbortedRead, "%s: %v, offset %d: record %d of transaction %d (%v) was seen, and is not shown any more", r.Name, tp, s.Offset, s.N, s.Txn, txn.Outcome)
		}
	}
	if r.Jumps {
		return
	}
	for _, v := range c.Visible[tp] {
		if !seen[v.Offset] {
			c.add(Skipped, "%s: %v, offset %d: record %d of transaction %d was never seen", r.Name, tp, v.Offset, v.N, v.Txn)
		}
	}
}
