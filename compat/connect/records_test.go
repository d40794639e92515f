package main

import (
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
)

// What the cases take for right: a check that accepts too much would prove nothing.
func TestChecks(t *testing.T) {
	const want = "a b c d"
	for name, c := range map[string]struct {
		got         string
		once, again string // a part of what same and atLeastOnce say; empty: it is right
	}{
		"the same":                {"a b c d", "", ""},
		"one missing":             {"a b d", `is "d", not "c"`, `is "d", after "b"`},
		"the first missing":       {"b c d", `is "b", not "a"`, `is "b", after ""`},
		"the end missing":         {"a b c", "1 of 4 entries are missing", `ends before "d"`},
		"the end repeated":        {"a b c d c d", "2 entries too many", ""},
		"repeated from the start": {"a b a b c d", `is "a", not "c"`, ""},
		"one twice":               {"a b b c d", `is "b", not "c"`, ""},
		"repeated, with a gap":    {"a b c a c d", `is "a", not "d"`, `is "c", after "a"`},
		"two exchanged":           {"a c b d", `is "c", not "b"`, `is "c", after "a"`},
		"ends in a repetition":    {"a b c a b", `is "a", not "d"`, `ends before "d"`},
		"a stranger":              {"a b x c d", `is "x", not "c"`, "which nobody wrote"},
		"nothing":                 {"", "4 of 4 entries are missing", `ends before "a"`},
	} {
		t.Run(name, func(t *testing.T) {
			said(t, "same", same("list", strings.Fields(want), strings.Fields(c.got)), c.once)
			said(t, "atLeastOnce", atLeastOnce("list", strings.Fields(want), strings.Fields(c.got)), c.again)
		})
	}
	said(t, "same", same("list", nil, nil), "nothing was compared")
	said(t, "atLeastOnce", atLeastOnce("list", nil, nil), "nothing was compared")
}

func said(t *testing.T, check string, err error, part string) {
	t.Helper()
	if (err == nil) != (part == "") || err != nil && !strings.Contains(err.Error(), part) {
		t.Errorf("%s: %v, want %q", check, err, part)
	}
}

func TestCounted(t *testing.T) {
	var records []*kgo.Record
	for _, v := range []string{"0", "1", "2 aborted", "1", "4"} {
		records = append(records, &kgo.Record{Value: []byte(v)})
	}
	if got := strings.Join(counted(records), " "); got != "0 1 2 3 4" {
		t.Errorf("counted %s", got)
	}
}

func TestCheckpoint(t *testing.T) {
	for name, c := range map[string]struct {
		key, value, want string
	}{
		"whole":       {"\x00\x01g\x00\x02tt\x00\x00\x00\x07", "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x2a", "g, tt-7 at 42"},
		"key is cut":  {"\x00\x01g\x00\x02t", "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x2a", ""},
		"no key":      {"", "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x2a", ""},
		"value short": {"\x00\x01g\x00\x02tt\x00\x00\x00\x07", "\x00\x00", ""},
	} {
		got, err := checkpoint(&kgo.Record{Key: []byte(c.key), Value: []byte(c.value)})
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		}
	}
}
