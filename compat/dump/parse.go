package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// complained finds what the tool says about files that are not as they should be: most of it on standard error. That
// offsets of a compacted log are not consecutive is no complaint, nor that a file does not begin with offset 0: the tool
// of Kafka 4.3 says so of each segment but the first.
func complained(out, said string) error {
	var lines []string
	file, compacted := "", false
	for line := range strings.Lines(said) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "Non-consecutive offsets in "):
			file, compacted = line, strings.Contains(line, "/"+compactedTopic+"-")
		case strings.HasPrefix(line, "  ") && strings.Contains(line, " is followed by "):
			if !compacted && !strings.HasPrefix(line, "  -1 is followed by ") {
				lines = append(lines, file+line)
			}
		case line != "":
			lines = append(lines, line)
		}
	}
	for line := range strings.Lines(out) {
		if strings.Contains(line, "isvalid: false") || strings.HasPrefix(line, "Found ") || strings.Contains(line, "Exception") {
			lines = append(lines, strings.TrimRight(line, "\n"))
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return fmt.Errorf("%d complaints\n%s", len(lines), strings.Join(lines[:min(len(lines), 20)], "\n"))
}

// dumped is what the tool has read.
type dumped struct {
	records   map[string][]string // by the folder of a partition: offset, key and payload of each
	codecs    []string
	producers int
	aborted   map[string][]abortedTxn // by the folder of a partition
}

// abortedTxn is an entry of a transaction index.
type abortedTxn struct{ producerID, first, last int64 }

func parse(out string) dumped {
	d := dumped{records: make(map[string][]string), aborted: make(map[string][]abortedTxn)}
	folder := ""
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\n")
		file, begins := strings.CutPrefix(line, "Dumping ")
		switch {
		case begins:
			folder = filepath.Dir(file)
		case strings.Contains(line, " endTxnMarker: "):
		case strings.HasPrefix(line, "version: "):
			d.aborted[folder] = append(d.aborted[folder], abortedTxn{number(line, " producerId: "), number(line, " firstOffset: "), number(line, " lastOffset: ")})
		case strings.HasPrefix(line, "| offset: "):
			d.records[folder] = append(d.records[folder], record(line))
		case strings.HasPrefix(line, "baseOffset: "):
			if codec := after(line, " compresscodec: "); !slices.Contains(d.codecs, codec) {
				d.codecs = append(d.codecs, codec)
			}
		case strings.HasPrefix(line, "producerId: "):
			d.producers++
		}
	}
	return d
}

// record shortens a record's line to what a consumer knows of it too.
func record(line string) string {
	offset, _ := strconv.ParseInt(after(line, "| offset: "), 10, 64)
	_, payload, _ := strings.Cut(line, " payload: ")
	return fmt.Sprintf("%d %s=%s", offset, after(line, " key: "), payload)
}

// after is the word behind a label.
func after(line, label string) string {
	_, rest, _ := strings.Cut(line, label)
	word, _, _ := strings.Cut(rest, " ")
	return word
}

// number is the number behind a label, -1 if there is none.
func number(line, label string) int64 {
	n, err := strconv.ParseInt(after(line, label), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// hides says where what the transaction indexes hide of a partition differs from what a consumer of committed data does
// not get. After a kill entries may be missing, which the next start makes again from the markers.
func hides(p partition, txns []abortedTxn, wasKilled bool) error {
	if len(p.aborted) == 0 {
		return fmt.Errorf("the consumer got everything")
	}
	for _, t := range txns {
		if t.producerID < 0 || t.first < 0 || t.last <= t.first {
			return fmt.Errorf("transaction %+v", t)
		}
	}
	if wasKilled {
		return nil
	}
	for _, h := range p.aborted {
		if !slices.ContainsFunc(txns, func(t abortedTxn) bool {
			return t.producerID == h.producerID && t.first <= h.offset && h.offset < t.last
		}) {
			return fmt.Errorf("no transaction for %+v in %d", h, len(txns))
		}
	}
	return nil
}

func (d dumped) hasCodecs() error {
	want := []string{"gzip", "lz4", "none", "snappy", "zstd"}
	for i, c := range d.codecs {
		d.codecs[i] = strings.ToLower(c)
	}
	slices.Sort(d.codecs)
	if !slices.Equal(d.codecs, want) {
		return fmt.Errorf("%v", d.codecs)
	}
	return nil
}

func (d dumped) hasProducers() error {
	if d.producers == 0 {
		return fmt.Errorf("none")
	}
	return nil
}

// differ says where what the tool read differs from what a consumer read.
func differ(p partition, got []string) error {
	want := p.records
	if len(want) == 0 {
		return fmt.Errorf("the consumer read nothing")
	}
	for i, w := range want {
		if i >= len(got) || got[i] != w {
			return fmt.Errorf("record %d of %d: %q, the tool has %q of %d", i, len(want), w, got[min(i, len(got)):min(i+1, len(got))], len(got))
		}
	}
	if len(got) > len(want) {
		return fmt.Errorf("%d records, the tool has %d", len(want), len(got))
	}
	return nil
}

// cleanedSince is differ where the cleaner may have removed more after the consumer read: the newest record of each key
// that was not aborted is there, and nothing that the consumer had not.
func cleanedSince(want partition, got []string) error {
	newest := make(map[string]string)
	for _, w := range want.records {
		if !slices.ContainsFunc(want.aborted, func(h hidden) bool { return h.record == w }) {
			newest[keyOf(w)] = w
		}
	}
	rest := want.records
	for _, g := range got {
		i := slices.Index(rest, g)
		if i < 0 {
			return fmt.Errorf("the tool has %q, which the consumer did not read there", g)
		}
		rest = rest[i+1:]
		if newest[keyOf(g)] == g {
			delete(newest, keyOf(g))
		}
	}
	if len(newest) > 0 {
		return fmt.Errorf("the tool misses the newest records of %d keys: %v", len(newest), newest)
	}
	return nil
}

// keyOf is the key of a record in the form of record.
func keyOf(r string) string {
	_, rest, _ := strings.Cut(r, " ")
	key, _, _ := strings.Cut(rest, "=")
	return key
}
