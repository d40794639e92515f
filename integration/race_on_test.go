//go:build race

package integration

// buildArgs put the race detector into the broker too when the tests have it.
var buildArgs = []string{"-race"}
