package main

import (
	"context"
	"os"
	"strings"

	"blumfeld/integration/process"
)

const (
	fileSource = "org.apache.kafka.connect.file.FileStreamSourceConnector"
	fileSink   = "org.apache.kafka.connect.file.FileStreamSinkConnector"
)

func standalone(ctx context.Context, l *lane) {
	l.run(ctx, "connect/file-standalone", l.fileStandalone)
}

// fileStandalone: a file, a topic, a file; then once more after a stop, with lines that were added meanwhile.
func (l *lane) fileStandalone(ctx context.Context) error {
	const before, after = 1000, 1500
	topic := l.name("standalone")
	in, err := l.file(topic + ".in")
	if err != nil {
		return err
	}
	out := l.path(topic + ".out")
	port, err := process.FreePort()
	if err != nil {
		return err
	}
	files := make([]string, 0, 3)
	for name, p := range map[string]properties{
		"source": {"name": topic + "-source", "connector.class": fileSource, "tasks.max": "1", "file": in, "topic": topic},
		"sink":   {"name": topic + "-sink", "connector.class": fileSink, "tasks.max": "1", "file": out, "topics": topic},
	} {
		file, err := l.write(topic+"-"+name, p)
		if err != nil {
			return err
		}
		files = append(files, file)
	}
	config, err := l.write(topic, common(l.addr, port).with(properties{"offset.storage.file.filename": l.path(topic + ".offsets")}))
	if err != nil {
		return err
	}
	if err := create(ctx, l.addr, topic, 1, nil); err != nil {
		return err
	}
	w := l.newWorker(topic, "connect-standalone", port, append([]string{config}, files...)...)
	from := 0
	for _, to := range []int{before, after} {
		if err := appendLines(in, from, to); err != nil {
			return err
		}
		if err := w.start(); err != nil {
			return err
		}
		if err := awaitFile(ctx, out, numbers(to)); err != nil {
			return withLog(err, w)
		}
		if err := w.stop(); err != nil {
			return err
		}
		from = to
	}
	read, err := readTopic(ctx, l.addr, topic, 1, false)
	if err != nil {
		return err
	}
	return same("the topic", numbers(after), values(read[0]))
}

// awaitFile waits until a sink's file has as many lines, and compares them.
func awaitFile(ctx context.Context, file string, want []string) error {
	var got []string
	err := await(ctx, func() (err error) {
		if got, err = readLines(file); err != nil {
			return err
		}
		if len(got) < len(want) {
			return same("the file", want, got)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return same("the file", want, got)
}

func readLines(file string) ([]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	// A line that is being written is none yet.
	whole := string(text[:strings.LastIndexByte(string(text), '\n')+1])
	return strings.Split(strings.TrimSuffix(whole, "\n"), "\n"), nil
}
