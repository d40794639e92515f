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
