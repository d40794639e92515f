//go:build race

package batch

// underRace: with the race detector a pool drops some of what it is given.
const underRace = true
