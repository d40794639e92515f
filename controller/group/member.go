package group

import (
	"bytes"
	"slices"
	"time"
)

// member is one member of a group.
type member struct {
	id                   string
	instanceID           *string
	clientID, clientHost string
	rebalanceMs          int32
	sessionMs            int32
	protocols            []Protocol
	assignment           []byte

	join ticket // the JoinGroup that waits for the others, or nil
	sync ticket // the SyncGroup that waits for the leader's, or nil
	// isNew: the first JoinGroup is still parked. It has a time-out of its own, because the member does not know its
	// id yet and cannot heartbeat.
	isNew    bool
	deadline time.Time // of the session; zero: none runs
}

func (m *member) metadata(protocol string) []byte {
	for _, p := range m.protocols {
		if p.Name == protocol {
			return p.Metadata
		}
	}
	return nil
}

// vote returns the first of the member's protocols that is a candidate.
func (m *member) vote(candidate func(string) bool) string {
	for _, p := range m.protocols {
		if candidate(p.Name) {
			return p.Name
		}
	}
	return ""
}

func (m *member) matches(protocols []Protocol) bool {
	return slices.EqualFunc(m.protocols, protocols, func(a, b Protocol) bool {
		return a.Name == b.Name && bytes.Equal(a.Metadata, b.Metadata)
	})
}

// names returns the distinct names of protocols: a request may repeat one.
func names(protocols []Protocol) []string {
	list := make([]string, 0, len(protocols))
	for _, p := range protocols {
		list = append(list, p.Name)
	}
	slices.Sort(list)
	return slices.Compact(list)
}
