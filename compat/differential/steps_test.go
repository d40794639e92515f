package main

import (
	"strings"
	"testing"
)

// A block's steps are the row's, with the row's variable in place.
func TestBlocks(t *testing.T) {
	b := make(blocks)
	if err := b.read("steps made\n  topic t$run 2\nsteps ended\n  do made\n  # why\n  EndTxn tx$run -1 -1 $end -> e=ProducerEpoch\n"); err != nil {
		t.Fatal(err)
	}
	f, err := readFile("26_end_txn", "row a for end in true false\n  do ended\n  EndTxn\n", apiKeys(), b)
	if err != nil {
		t.Fatal(err)
	}
	steps := f.parts[1].row.steps
	if len(steps) != 3 || steps[0].verb != "topic" || steps[1].items[3].text != "false" || steps[1].capture[0].name != "e" {
		t.Fatalf("%+v", steps)
	}
	// What the row is about is asked by the row, at each version; a block goes by the highest.
	if steps[1].version != latestVersion || steps[2].version != subjectVersion {
		t.Errorf("versions %d and %d", steps[1].version, steps[2].version)
	}
	if steps[1].line != 2 {
		t.Errorf("line %d is told for a step of a block", steps[1].line)
	}
	for name, bad := range map[string]string{
		"a block without name":  "steps\n  Metadata\n",
		"a block of two names":  "steps a b\n  Metadata\n",
		"the same block twice":  "steps a\n  Metadata\nsteps a\n  Metadata\n",
		"a step without block":  "  Metadata\n",
		"anything else in here": "row a\n  Metadata\n",
	} {
		if err := make(blocks).read(bad); err == nil {
			t.Errorf("%s is no error", name)
		}
	}
	for name, text := range map[string]string{"an unknown block": "steps a\n  do b\n", "itself": "steps a\n  do a\n", "itself by another": "steps a\n  do b\nsteps b\n  do a\n"} {
		b := make(blocks)
		if err := b.read(text); err != nil {
			t.Fatal(err)
		}
		if _, err := readFile("x", "row a\n  do a\n", apiKeys(), b); err == nil || !strings.Contains(err.Error(), "there are no steps") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUntil(t *testing.T) {
	answer := reply{fields: &field{kind: objectField, children: []*field{leaf("State", `"Empty"`), leaf("ErrorCode", "0")}}}
	for text, want := range map[string]bool{
		"State=Empty":                      true,
		"State=Ongoing":                    false,
		"State!=Ongoing":                   true,
		"State!=Ongoing State!=Empty":      false,
		"State!=Ongoing ErrorCode=0":       true,
		"Nothing=0":                        false,
		"Nothing!=0":                       false,
		"State=$what":                      true,
		"ErrorCode!=51 State!=PrepareXYZ":  true,
		"ErrorCode!=0 State!=PrepareAbort": false,
	} {
		s, err := readStep(line{text: "Metadata until " + text}, -1, apiKeys())
		if err != nil {
			t.Fatal(err)
		}
		if got := new(player).until(&s, answer, variables{"what": "Empty"}); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}
