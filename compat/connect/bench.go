package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"blumfeld/integration/process"
)

// bench is what the lanes of one run share.
type bench struct {
	addr    string // the broker that is looked at
	apache  bool   // brokers that are started to be killed are Apache Kafka's
	dir     string
	stem    string // part of every name, so that runs on one broker do not meet
	names   atomic.Int32
	compile func() (string, error) // of Blumfeld's binary
}

func newBench(addr string) (*bench, error) {
	b := &bench{addr: addr, stem: strconv.FormatInt(time.Now().UnixMilli()%1e8, 36)}
	switch kind := os.Getenv("BROKER"); kind {
	case "", "blumfeld":
	case "kafka":
		b.apache = true
	default:
		return nil, fmt.Errorf("BROKER=%s: neither blumfeld nor kafka", kind)
	}
	var err error
	if b.dir, err = os.MkdirTemp("", "blumfeld-connect-"); err != nil {
		return nil, err
	}
	b.compile = sync.OnceValues(func() (string, error) { return process.Build(context.Background(), b.dir) })
	return b, nil
}

func (b *bench) close() error {
	if os.Getenv("KEEP") == "1" {
		fmt.Println("logs and data:", b.dir)
		return nil
	}
	return os.RemoveAll(b.dir)
}

// name is one that nothing else has, in this run or another. It does not begin with
// connect-: of groups that do MirrorMaker takes no notice.
func (b *bench) name(of string) string {
	return fmt.Sprintf("compat-%s-%s-%d", of, b.stem, b.names.Add(1))
}

func (b *bench) path(name string) string { return filepath.Join(b.dir, name) }

// file makes an empty file of the name.
func (b *bench) file(name string) (string, error) {
	path := b.path(name)
	return path, os.WriteFile(path, nil, 0o600)
}

// appendLines adds the numbers from from to below to, a line each.
func appendLines(path string, from, to int) error {
	var lines []byte
	for n := from; n < to; n++ {
		lines = fmt.Appendf(lines, "%s\n", numbered(n))
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err := f.Write(lines); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

func numbered(n int) string { return fmt.Sprintf("line %06d", n) }
