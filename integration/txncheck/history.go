package txncheck

import "fmt"

// TP is a partition of a topic.
type TP struct {
	Topic     string
	Partition int32
}

func (tp TP) String() string { return fmt.Sprintf("%s-%d", tp.Topic, tp.Partition) }

// Outcome is what the client of a transaction knows of its end.
type Outcome int8

const (
	Unknown   Outcome = iota // a commit was asked for, and never answered: all or nothing
	Committed                // a commit was acknowledged
	Aborted                  // nobody has ever asked for a commit, or it was refused
)

func (o Outcome) String() string { return [...]string{"unknown", "committed", "aborted"}[o] }

// Txn is one transaction. A record that was produced outside of one is a transaction of its own: it is asked for, and it
// is acknowledged or not.
type Txn struct {
	Producer int    // whose it is; the transactions of a producer come one after the other
	Name     string // of the producer, for those who read of an anomaly
	Group    string // whose offsets it commits, "" if none
	Writes   []Write
	Outcome  Outcome
	Asked    int64 // the moment (see Sighting) at which its commit was asked for, 0 if never
}

// Write is a record that a transaction sent. From and Offset are the record that it was made of, if Txn.Group is set.
type Write struct {
	To     TP
	From   TP
	Offset int64
}

// Record is a record that was read: which one of which transaction, as its value tells.
type Record struct {
	Offset int64
	Txn, N int // History.Txns[Txn].Writes[N]
}

// Control says what kind of control record it is.
type Control int8

const (
	NoControl Control = iota
	AbortMarker
	CommitMarker
)

// Entry is a record of the log as it lies there. Of control records, Txn and N mean nothing.
type Entry struct {
	Record
	ProducerID    int64
	Transactional bool
	Control       Control
}

// Sighting is a record that was read while the history went on.
type Sighting struct {
	Record
	// At is a moment after it was read. Moments are numbers of one clock, whatever its unit, that runs through the
	// history: 1 is the earliest.
	At int64
}

// Reader is a reader of committed records, from the beginning of each partition to its end. One that Jumps, such as the
// members of a group together, may leave out records and see them again.
type Reader struct {
	Name  string
	Jumps bool
	Seen  map[TP][]Sighting
}

// End is how a partition was left, after each transaction had time enough to end.
type End struct{ LastStable, HighWatermark int64 }

// History is all that is known of a run. Partitions begin at offset 0.
type History struct {
	Txns    []Txn // what records call Txn is the index here
	Readers []Reader
	// Visible is what a reader of committed records finds in the end.
	Visible map[TP][]Record
	// Log is each partition as it lies there in the end; its keys are all partitions of the history.
	Log  map[TP][]Entry
	Ends map[TP]End
	// Groups are the offsets that each group has committed in the end, when it had time enough to process everything, by
	// the partitions that it reads.
	Groups map[string]map[TP]int64
}
