package main

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A report prints a line for each row and counts.
type report struct {
	verbose             bool
	passed, failed      int // lines
	rows, played        int // rows; the same, once for each version
	compared, explained int // answers; differences in them
}

func (r *report) line(name string, problems []string) {
	if len(problems) == 0 {
		r.passed++
		fmt.Println("PASS", name)
		return
	}
	r.failed++
	fmt.Println("FAIL", name)
	for _, p := range problems {
		fmt.Println("    " + p)
	}
}

func (r *report) sum() { fmt.Printf("%d passed, %d failed\n", r.passed, r.failed) }

// results reports each row once, over all its versions.
func (r *report) results(runs []*run, kafka, ours map[*run]result, allowed []*difference) {
	var name string
	var problems []string
	var versions []int16
	flush := func() {
		if name == "" {
			return
		}
		r.rows++
		of := name
		if len(versions) > 0 {
			of += fmt.Sprintf(" v%d-%d", versions[0], versions[len(versions)-1])
		}
		r.line(of, merged(problems))
		name, problems, versions = "", nil, nil
	}
	for _, run := range runs {
		if run.row == nil {
			continue
		}
		if run.row.name != name {
			flush()
			name = run.row.name
		}
		if run.file.subject >= 0 {
			versions = append(versions, run.version)
		}
		r.played++
		k, o := kafka[run], ours[run]
		prefix := fmt.Sprintf("v%d", run.version)
		if k.err != nil || o.err != nil {
			problems = append(problems, fmt.Sprintf("%s: Kafka %v, ours %v", prefix, k.err, o.err))
			continue
		}
		c := comparison{row: run.row.name, version: run.version, differences: allowed}
		c.answers(k.said, o.said)
		for _, u := range c.unexplained {
			problems = append(problems, prefix+": "+u)
		}
		r.compared += len(k.said)
		r.explained += c.explained
		if slow := max(k.took, o.took); slow > 2*time.Second {
			fmt.Printf("slow: %s %s, Kafka %.1f s, ours %.1f s\n", run.row.name, prefix, k.took.Seconds(), o.took.Seconds())
		}
		if r.verbose {
			for _, s := range k.said {
				fmt.Printf("  %s %s: %s\n", run.row.name, prefix, s.answer)
			}
		}
	}
	flush()
}

var digits = regexp.MustCompile(`[0-9]+`)

// merged says a problem that many versions have once, as it is in the first.
func merged(problems []string) []string {
	var order []string
	like := make(map[string]string) // but for its numbers
	versions := make(map[string][]string)
	for _, p := range problems {
		v, text, _ := strings.Cut(p, ": ")
		shape := digits.ReplaceAllString(text, "#")
		if like[shape] == "" {
			like[shape] = text
			order = append(order, text)
		}
		versions[like[shape]] = append(versions[like[shape]], v)
	}
	for i, text := range order {
		v := versions[text]
		if len(v) > 2 {
			v = []string{v[0], "to", v[len(v)-1]}
		}
		order[i] = strings.Join(v, " ") + ": " + text
	}
	return order
}

// coverage fails for each key and version that is served and has no row.
func (r *report) coverage(runs []*run, served map[int16][2]int16) {
	r.line("coverage", uncovered(runs, served))
}

func uncovered(runs []*run, served map[int16][2]int16) []string {
	type keyVersion struct{ key, version int16 }
	covered := make(map[keyVersion]bool)
	for _, run := range runs {
		if run.row != nil && run.file.subject >= 0 {
			covered[keyVersion{run.file.subject, run.version}] = true
		}
	}
	var missing []string
	for key := range int16(kmsg.MaxKey + 1) {
		span, ok := served[key]
		var bare []string
		for v := span[0]; ok && v <= span[1]; v++ {
			if !covered[keyVersion{key, v}] {
				bare = append(bare, fmt.Sprintf("v%d", v))
			}
		}
		if len(bare) > 0 {
			missing = append(missing, fmt.Sprintf("%s has no row for %s", kmsg.NameForKey(key), strings.Join(bare, " ")))
		}
	}
	return missing
}

// differences fails for each entry that explains nothing any more.
func (r *report) differences(all []*difference) {
	var unused []string
	for _, d := range all {
		if !d.used && !d.sometimes {
			unused = append(unused, fmt.Sprintf("differences:%d: %s %s does not occur: remove it", d.line, d.rows, d.field))
		}
	}
	r.line("differences", unused)
}
