// Command dump has Apache Kafka's dump tool read every file of partitions that
// Blumfeld writes: logs of every codec in several segments, of transactions,
// compacted ones too, offset, time and transaction indexes, producer snapshots; as kill -9 leaves them, and as a
// stop does after the start that followed.
//
//	go run ./compat/dump
//
// It owns what is taken for a complaint of the tool. It must not know the formats:
// what the tool reads has to be what a consumer reads.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"blumfeld/compat/kafka"
	"blumfeld/compat/report"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	r := &report.Report{W: os.Stdout}
	if err := run(ctx, r); err != nil {
		r.Case("run", err)
	}
	os.Exit(r.End())
}

func run(ctx context.Context, r *report.Report) error {
	work, err := os.MkdirTemp("", "blumfeld-dump-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	read, err := writeDirectories(ctx, work)
	if err != nil {
		return err
	}
	var logs, indexes, all []string
	kinds := make(map[string]int)
	for _, dir := range []string{killed, stopped} {
		files, err := filepath.Glob(filepath.Join(work, dir, "*-*", "0*"))
		if err != nil {
			return err
		}
		for _, f := range files {
			if strings.HasPrefix(filepath.Base(filepath.Dir(f)), "__") {
				continue // metadata, in files of another kind
			}
			kinds[dir+filepath.Ext(f)]++
			switch filepath.Ext(f) {
			case ".log":
				logs = append(logs, f)
			case ".index", ".timeindex":
				indexes = append(indexes, f)
			case ".snapshot", ".txnindex":
			default:
				continue
			}
			all = append(all, f)
		}
	}
	fmt.Println("files:", kinds)
	for _, dir := range []string{killed, stopped} {
		for _, ext := range []string{".log", ".index", ".timeindex", ".snapshot", ".txnindex"} {
			var err error
			enough := 5
			if dir == killed && ext == ".txnindex" {
				enough = 1 // entries are written when a segment is flushed, and made again after a kill
			}
			if kinds[dir+ext] < enough {
				err = fmt.Errorf("only %d files", kinds[dir+ext])
			}
			r.Case(dir+"/has "+ext+" files", err)
		}
	}

	out, complaints, err := dump(ctx, all, "--deep-iteration", "--print-data-log")
	if err != nil {
		return err
	}
	r.Case("deep iteration", complaints)
	d := parse(out)
	for dir, partitions := range read {
		for partition, want := range partitions {
			same := differ
			if isCompacted(partition) {
				same = cleanedSince
			}
			r.Case(dir+"/"+partition+"/records", same(want, d.records[filepath.Join(work, dir, partition)]))
			if strings.HasPrefix(partition, txnTopic+"-") {
				r.Case(dir+"/"+partition+"/aborted transactions", hides(want, d.aborted[filepath.Join(work, dir, partition)], dir == killed))
			}
		}
	}
	r.Case("codecs", d.hasCodecs())
	r.Case("producers in snapshots", d.hasProducers())
	_, complaints, err = dump(ctx, indexes, "--verify-index-only")
	if err != nil {
		return err
	}
	r.Case("verify index only", complaints)
	out, complaints, err = dump(ctx, indexes, "--index-sanity-check")
	if err != nil {
		return err
	}
	if passed := strings.Count(out, "passed sanity check.") + strings.Count(out, "is empty."); complaints == nil && passed != len(indexes) {
		complaints = fmt.Errorf("%d of %d indexes passed", passed, len(indexes))
	}
	r.Case("index sanity check", complaints)
	fmt.Printf("%d logs, %d indexes\n", len(logs), len(indexes))
	return nil
}

// dump runs the tool over files and returns what it printed and what it complained of.
func dump(ctx context.Context, files []string, flags ...string) (out string, complaints, err error) {
	out, said, err := kafka.Tool(ctx, "dump-log", append(flags, "--files", strings.Join(files, ","))...)
	if err != nil {
		return "", nil, err
	}
	return out, complained(out, said), nil
}
