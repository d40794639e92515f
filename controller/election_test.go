package controller

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"blumfeld/integration/script"
)

// TestElections replays the scripts in testdata/elections. Each command shows the state that it leads to.
//
//	partition replicas=1,2,3 [isr=1,2] [leader=1]   begins anew; all named brokers are active
//	fence 2 [unclean]      broker 2 is gone: it leaves the ISR, and leads no more
//	unfence 2 [unclean]    broker 2 is back
//	isr 1,2 [recovering]   the leader changes the ISR
//	elect preferred|unclean|online
//	reelect                the leader stays, with a new epoch
func TestElections(t *testing.T) {
	script.Run(t, "testdata/elections/*.txt", func(t *testing.T) func(string) string {
		var e electionScript
		return func(command string) string {
			before := e.p
			if err := e.run(strings.Fields(command)); err != nil {
				t.Fatalf("%s: %v", command, err)
			}
			e.check(t, command, before)
			return e.String()
		}
	})
}

type electionScript struct {
	p      PartitionState
	fenced []int32
}

func (e electionScript) String() string {
	recovering := ""
	if e.p.Recovering {
		recovering = " recovering"
	}
	return fmt.Sprintf("leader=%d epoch=%d isr=%s partition-epoch=%d%s",
		e.p.Leader, e.p.LeaderEpoch, join(e.p.ISR), e.p.PartitionEpoch, recovering)
}

func (e *electionScript) run(args []string) error {
	change := partitionChange{eligible: func(id int32) bool { return !slices.Contains(e.fenced, id) }}
	if slices.Contains(args, "unclean") {
		change.election = ElectUnclean
	}
	switch args[0] {
	case "partition":
		e.fenced = nil
		e.p = PartitionState{}
		for _, arg := range args[1:] {
			key, value, _ := strings.Cut(arg, "=")
			ids := split(value)
			switch key {
			case "replicas":
				e.p.Replicas, e.p.ISR, e.p.Leader = ids, ids, ids[0]
			case "isr":
				e.p.ISR = ids
			case "leader":
				e.p.Leader = ids[0]
			}
		}
		return nil
	case "fence":
		id := split(args[1])[0]
		e.fenced = append(e.fenced, id)
		change.isr = leaveISR(e.p, id)
	case "unfence":
		id := split(args[1])[0]
		e.fenced = slices.DeleteFunc(e.fenced, func(f int32) bool { return f == id })
	case "isr":
		change.isr = split(args[1])
		change.recovered = !slices.Contains(args, "recovering")
	case "elect":
		if args[1] == "preferred" {
			change.election = ElectPreferred
		}
	case "reelect":
		change.reelect = true
	default:
		return fmt.Errorf("unknown command")
	}
	e.p, _ = changePartition(e.p, change)
	return nil
}

// check holds what is true of every change.
func (e *electionScript) check(t *testing.T, text string, before PartitionState) {
	p := e.p
	if strings.HasPrefix(text, "partition") {
		return
	}
	if len(p.ISR) == 0 {
		t.Errorf("%s: the ISR is empty", text)
	}
	if p.Leader != NoLeader && (!slices.Contains(p.ISR, p.Leader) || slices.Contains(e.fenced, p.Leader)) {
		t.Errorf("%s: leader %d is not in the ISR %v, or fenced", text, p.Leader, p.ISR)
	}
	if p.LeaderEpoch < before.LeaderEpoch || p.LeaderEpoch == before.LeaderEpoch && p.Leader != before.Leader {
		t.Errorf("%s: leader %d of epoch %d follows %d of epoch %d", text, p.Leader, p.LeaderEpoch, before.Leader, before.LeaderEpoch)
	}
	if same := p.Equal(before); same != (p.PartitionEpoch == before.PartitionEpoch) {
		t.Errorf("%s: partition epoch %d follows %d, and the state is the same: %v", text, p.PartitionEpoch, before.PartitionEpoch, same)
	}
}

func split(s string) (ids []int32) {
	for f := range strings.SplitSeq(s, ",") {
		n, _ := strconv.Atoi(f)
		ids = append(ids, int32(n))
	}
	return ids
}

func join(ids []int32) string {
	var s []string
	for _, id := range ids {
		s = append(s, strconv.Itoa(int(id)))
	}
	return strings.Join(s, ",")
}

// TestElectionOfDamagedState: a partition whose state was lost has no replicas; nothing may come of it but no leader.
func TestElectionOfDamagedState(t *testing.T) {
	for _, election := range []Election{ElectOnline, ElectPreferred, ElectUnclean} {
		p := PartitionState{Leader: NoLeader}
		if next, changed := changePartition(p, partitionChange{election: election, eligible: func(int32) bool { return true }, reelect: true}); changed {
			t.Errorf("%+v", next)
		}
	}
}
