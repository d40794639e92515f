package txn

// State of a transactional id. The numbers are those of Kafka's TransactionState, and the store's.
type State uint8

const (
	Empty             State = iota // has a producer id, and no transaction yet
	Ongoing                        // a transaction is open
	PrepareCommit                  // it is decided; markers are on their way
	PrepareAbort                   //
	CompleteCommit                 // every leader has taken its marker
	CompleteAbort                  //
	Dead                           // being forgotten
	PrepareEpochFence              // never lasts: see doc.go
)

var stateNames = [...]string{"Empty", "Ongoing", "PrepareCommit", "PrepareAbort", "CompleteCommit", "CompleteAbort", "Dead", "PrepareEpochFence"}

// String is the state's name in DescribeTransactions and ListTransactions.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "Unknown"
}

// preparing says whether markers are under way.
func (s State) preparing() bool { return s == PrepareCommit || s == PrepareAbort }

// idle says whether there is no transaction, so that the id may expire.
func (s State) idle() bool { return s == Empty || s == CompleteCommit || s == CompleteAbort }

// stored says whether the store may hold a record in this state.
func (s State) stored() bool { return s < Dead }
