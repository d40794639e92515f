package group

// State is a classic group's state; doc.go lists what each does.
type State uint8

const (
	Empty State = iota
	PreparingRebalance
	CompletingRebalance
	Stable
	Dead
)

// String is Kafka's name of the state, as ListGroups and DescribeGroups show it.
func (s State) String() string {
	return [...]string{"Empty", "PreparingRebalance", "CompletingRebalance", "Stable", "Dead"}[s]
}

// follows says whether a group may go from state from to state s.
func (s State) follows(from State) bool {
	switch s {
	case Empty, CompletingRebalance:
		return from == PreparingRebalance
	case PreparingRebalance:
		return from == Stable || from == CompletingRebalance || from == Empty
	case Stable:
		return from == CompletingRebalance
	default:
		return true
	}
}
