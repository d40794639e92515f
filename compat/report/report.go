// Package report prints what compat/<client>/run has to print, for clients that
// are Go programs, as compat/report.sh does for scripts: a line for each case,
// then the sum.
//
// It owns the form of those lines. It must not know what a case is about. A case
// that did not run is not a case that passed: there is no third verdict.
package report

import (
	"fmt"
	"io"
	"strings"
)

// Report counts verdicts and writes them to W. It is for one goroutine.
type Report struct {
	W              io.Writer
	passed, failed int
}

// Case prints the verdict of a case: it passed if err is nil.
func (r *Report) Case(name string, err error) {
	if err == nil {
		r.passed++
		fmt.Fprintf(r.W, "PASS %s\n", name)
		return
	}
	r.failed++
	// Only the line of the verdict may begin as one does.
	fmt.Fprintf(r.W, "FAIL %s: %s\n", name, strings.ReplaceAll(err.Error(), "\n", "\n    "))
}

// End prints the sum and returns the exit code.
func (r *Report) End() int {
	fmt.Fprintf(r.W, "%d passed, %d failed\n", r.passed, r.failed)
	if r.passed == 0 || r.failed > 0 {
		return 1
	}
	return 0
}
