package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"blumfeld/compat/kafka"

	"github.com/twmb/franz-go/pkg/kgo"
)

const wordsPerLine = 5

// lines are n lines of words, from one on, and what a count of all lines before and of them says of each word.
func lines(topic string, first, n int) (records []*kgo.Record, counts map[string][]string) {
	counts = make(map[string][]string)
	for i := range first + n {
		words := make([]string, wordsPerLine)
		for j := range words {
			words[j] = "word" + strconv.Itoa((i*7+j*j*3)%23)
			counts[words[j]] = append(counts[words[j]], strconv.Itoa(len(counts[words[j]])+1))
		}
		if i >= first {
			records = append(records, &kgo.Record{Topic: topic, Key: []byte(strconv.Itoa(i)), Value: []byte(strings.Join(words, " "))})
		}
	}
	return records, counts
}

func total(counts map[string][]string) (n int) {
	for _, c := range counts {
		n += len(c)
	}
	return n
}

// wordCountDemo is Kafka's own example, in two runs.
func wordCountDemo(ctx context.Context, s *scene) error {
	const input, output = "streams-plaintext-input", "streams-wordcount-output"
	if err := s.delete(ctx, input, output); err != nil {
		return err
	}
	if err := s.create(ctx, 2, input, output); err != nil {
		return err
	}
	f, err := s.follow(output)
	if err != nil {
		return err
	}
	file := filepath.Join(s.dir, "streams.properties")
	var properties strings.Builder
	// The example does not leave its group: as a static member it is let in again at once.
	for key, value := range s.settings("demo", atLeastOnce, "group.instance.id=demo") {
		if key != "processing.guarantee" && key != "statestore.cache.max.bytes" { // left as the example has them
			fmt.Fprintf(&properties, "%s=%s\n", key, value)
		}
	}
	if err := os.WriteFile(file, []byte(properties.String()), 0o644); err != nil {
		return err
	}
	const half = 100
	var counts map[string][]string
	for run := range 2 {
		var records []*kgo.Record
		records, counts = lines(input, run*half, half)
		if err := s.write(ctx, records...); err != nil {
			return err
		}
		cmd, err := s.java(s.dir, "demo", "org.apache.kafka.streams.examples.wordcount.WordCountDemo", file)
		if err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		err = f.await(ctx, output, total(counts))
		if err != nil {
			_ = cmd.Process.Kill()
		} else {
			err = cmd.Process.Signal(syscall.SIGTERM)
		}
		_ = cmd.Wait() // 143, by SIGTERM
		if err != nil {
			log, _ := os.ReadFile(filepath.Join(s.dir, "demo.log"))
			return fmt.Errorf("%w\n%s", err, log)
		}
	}
	got := make(map[string][]string)
	records, err := s.read(ctx, output, committed)
	if err != nil {
		return err
	}
	for _, r := range records {
		got[string(r.Key)] = append(got[string(r.Key)], strconv.FormatUint(binary.BigEndian.Uint64(r.Value), 10))
	}
	return same(output, counts, got)
}

// wordCount counts words by way of a repartition topic, and looks at the internal topics: what was counted is deleted
// from the one, of the other the last is kept.
func wordCount(ctx context.Context, s *scene, guarantee string) error {
	input, output := s.name+"-lines", s.name+"-counts"
	repartition, changelog := s.name+"-words-repartition", s.name+"-counts-changelog"
	if err := s.create(ctx, 2, input, output); err != nil {
		return err
	}
	f, err := s.follow(output)
	if err != nil {
		return err
	}
	if err := s.shared.start(s.name, "word-count", s.settings("a", guarantee, "repartition.purge.interval.ms=200")); err != nil {
		return err
	}
	const half = 100
	var counts map[string][]string
	for part := range 2 {
		var records []*kgo.Record
		records, counts = lines(input, part*half, half)
		if err := s.write(ctx, records...); err != nil {
			return err
		}
		if err := f.await(ctx, output, total(counts)); err != nil {
			return err
		}
	}
	if err := eventually(ctx, func() error { return s.purged(ctx, repartition) }); err != nil {
		return err
	}
	if err := s.shared.close(ctx, s.name); err != nil {
		return err
	}
	kept, err := s.read(ctx, changelog, committed)
	if err != nil {
		return err
	}
	for _, r := range kept {
		r.Value = strconv.AppendUint(nil, binary.BigEndian.Uint64(r.Value), 10)
	}
	return errors.Join(
		s.both(ctx, f, output, counts, inOrder),
		same(changelog, newest(counts), last(kept)),
		s.consumed(ctx, input),
		s.has(ctx, repartition, "cleanup.policy=delete", "retention.ms=-1"),
		s.has(ctx, changelog, "cleanup.policy=compact"))
}

// purged: a repartition topic begins where the application will go on.
func (s *scene) purged(ctx context.Context, topic string) error {
	starts, err := s.bounds(ctx, topic, earliest)
	if err != nil {
		return err
	}
	offsets, err := s.offsets(ctx, s.name, topic)
	if err != nil {
		return err
	}
	if len(offsets) == 0 || !maps.Equal(starts, offsets) {
		return fmt.Errorf("%s begins at %v, the application is at %v", topic, starts, offsets)
	}
	return nil
}

// consumed: the application has committed the end of a topic of its input.
func (s *scene) consumed(ctx context.Context, topic string) error {
	ends, err := s.bounds(ctx, topic, committed)
	if err != nil {
		return err
	}
	offsets, err := s.offsets(ctx, s.name, topic)
	if err != nil {
		return err
	}
	if !maps.Equal(ends, offsets) {
		return fmt.Errorf("%s ends at %v, the application is at %v", topic, ends, offsets)
	}
	return nil
}

// has compares configurations of a topic, pairs of key=value.
func (s *scene) has(ctx context.Context, topic string, pairs ...string) error {
	for _, pair := range pairs {
		key, want, _ := strings.Cut(pair, "=")
		got, err := s.config(ctx, topic, key)
		if err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("%s: %s is %s, not %s", topic, key, got, want)
		}
	}
	return nil
}

// reset has Kafka's tool reset the application between two runs: both do the same.
func reset(ctx context.Context, s *scene, guarantee string) error {
	input, output := s.name+"-lines", s.name+"-counts"
	if err := s.create(ctx, 2, input, output); err != nil {
		return err
	}
	f, err := s.follow(output)
	if err != nil {
		return err
	}
	records, counts := lines(input, 0, 50)
	if err := s.write(ctx, records...); err != nil {
		return err
	}
	twice := make(map[string][]string)
	for run := 1; run <= 2; run++ {
		instance := s.name + "-" + strconv.Itoa(run)
		if err := s.shared.start(instance, "word-count", s.settings(instance, guarantee)); err != nil {
			return err
		}
		for word, n := range counts {
			twice[word] = append(twice[word], n...)
		}
		if err := f.await(ctx, output, run*total(counts)); err != nil {
			return fmt.Errorf("run %d: %w", run, err)
		}
		if err := s.shared.close(ctx, instance); err != nil {
			return err
		}
		if run == 2 {
			break
		}
		out, _, err := kafka.Tool(ctx, "streams-application-reset", "--bootstrap-server", s.address(), "--application-id", s.name, "--input-topics", input)
		if err != nil {
			return fmt.Errorf("%w\n%s", err, out)
		}
		// Its topics are gone, its offsets those of the beginning.
		if err := eventually(ctx, func() error { return s.forgotten(ctx, input) }); err != nil {
			return fmt.Errorf("%w\n%s", err, out)
		}
	}
	return errors.Join(s.both(ctx, f, output, twice, inOrder), s.consumed(ctx, input))
}

// forgotten: the application has no internal topics and is at the beginning of its input.
func (s *scene) forgotten(ctx context.Context, input string) error {
	topics, err := s.topics(ctx)
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(topics, func(t string) bool {
		return strings.HasPrefix(t, s.name+"-") && (strings.HasSuffix(t, "-changelog") || strings.HasSuffix(t, "-repartition"))
	}); i >= 0 {
		return fmt.Errorf("there still is %s", topics[i])
	}
	starts, err := s.bounds(ctx, input, earliest)
	if err != nil {
		return err
	}
	offsets, err := s.offsets(ctx, s.name, input)
	if err != nil {
		return err
	}
	if !maps.Equal(starts, offsets) {
		return fmt.Errorf("%s begins at %v, the application is at %v", input, starts, offsets)
	}
	return nil
}
