//go:build race

package protocol

// underRace: the race detector has every append make what it appends first, and
// every small value an allocation of its own.
const underRace = true
