# How every compat/<client>/run reports: a line for each case, then `N passed, N failed`, which is
# also the exit code. A case that did not run is not a case that passed: there is no third verdict.
# shellcheck shell=bash

report_passed=0
report_failed=0

# report_pass NAME
report_pass() {
  report_passed=$((report_passed + 1))
  printf 'PASS %s\n' "$1"
}

# report_fail NAME [REASON]
report_fail() {
  report_failed=$((report_failed + 1))
  printf 'FAIL %s%s\n' "$1" "${2:+: $2}"
}

report_end() {
  printf '%d passed, %d failed\n' "$report_passed" "$report_failed"
  ((report_passed > 0 && report_failed == 0))
}

# listed FILE: the entries of a list, without comments and empty lines; the first word of each line.
listed() {
  sed -e 's/#.*//' -e 's/^[[:space:]]*//' "$1" | awk 'NF { print $1 }'
}

# report_go_test LOG TEST: the verdict of one test, or subtest, in the log of a Go test binary run
# with -test.v. Tests run side by side: `=== NAME test` says whose the following lines are.
report_go_test() {
  local log=$1 test=$2 verdict
  verdict=$(awk -v test="$test" '/^ *--- / && $3 == test { print $2; exit }' "$log")
  case $verdict in
    PASS:) report_pass "$test" ;;
    FAIL:) report_fail "$test" "$(go_test_said "$log" "$test" 25)" ;;
    SKIP:) report_fail "$test" "skipped itself: $(go_test_said "$log" "$test" 3)" ;;
    *) report_fail "$test" "did not end" ;;
  esac
}

# go_test_said LOG TEST LINES: the last lines that a test and its subtests said.
go_test_said() {
  awk -v test="$2" '
    /^=== (RUN|NAME|CONT|PAUSE) / { on = index($3 "/", test "/") == 1; next }
    /^ *--- (PASS|FAIL|SKIP): /   { on = index($3 "/", test "/") == 1 }
    on' "$1" | tail -n "$3"
}
