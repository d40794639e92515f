package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// The bare loop is what moving the bytes costs in Go, and nothing else: from a socket through CRC-32C by one write into
// a file whose blocks are there, and from that file's mapping to a socket by one vectored write. It is a process of its
// own, of this same program, so that the kernel accounts for it as for a broker. It is the physical limit beside which
// the brokers stand: no broker could be made of it.

const (
	bareLoop = "bare loop"
	// bareCommand is the argument by which this program becomes a bare loop.
	bareCommand = "bare-loop"
	// bareFile is the size of its file in bytes; what is written and read wraps around.
	bareFile = 1 << 30
	// bareBuffer is larger than any request of a row.
	bareBuffer = 4 << 20
)

// newBare prepares a bare loop that stores under dir.
func newBare(dir string) *broker {
	var cmd *exec.Cmd
	b := &broker{name: bareLoop}
	b.start = func(ctx context.Context) error {
		self, err := os.Executable()
		if err != nil {
			return err
		}
		cmd = exec.Command(self, bareCommand, dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			return err
		}
		b.began = time.Now()
		if err := cmd.Start(); err != nil {
			return err
		}
		b.pid = cmd.Process.Pid
		if _, err := fmt.Fscanln(out, &b.addr); err != nil {
			return fmt.Errorf("bare loop: %w", err)
		}
		return nil
	}
	b.stop = func(context.Context) error {
		err := errors.Join(cmd.Process.Kill(), ignoreExit(cmd.Wait()))
		return err
	}
	return b
}

// ignoreExit: a process that was killed does not end with success.
func ignoreExit(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil
	}
	return err
}

// bare is the process.
type bare struct {
	file   *os.File
	size   int64
	mapped []byte
	end    atomic.Int64 // of what was written, beyond the file's size after it wrapped
	read   atomic.Int64 // likewise
}

// runBare prints its address and serves until it is killed.
func runBare(dir string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	return serveBare(l, dir, bareFile)
}

// serveBare serves until the listener is closed, and returns when all connections have ended.
func serveBare(l net.Listener, dir string, size int64) error {
	f, err := os.CreateTemp(dir, "bare-")
	if err != nil {
		return err
	}
	defer f.Close()
	// It has no name: nothing is left of it.
	if err := errors.Join(os.Remove(f.Name()), allocate(f, size)); err != nil {
		return err
	}
	b := &bare{file: f, size: size}
	if b.mapped, err = syscall.Mmap(int(f.Fd()), 0, int(size), syscall.PROT_READ, syscall.MAP_SHARED); err != nil {
		return err
	}
	var serving sync.WaitGroup
	defer func() {
		serving.Wait()
		syscall.Munmap(b.mapped)
	}()
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		serving.Go(func() { b.serve(conn) })
	}
}

// answers are a connection's: made for the first request of its kind, and sent again with another correlation id.
type bareAnswer struct {
	head, tail []byte
	records    int
}

func (b *bare) serve(conn net.Conn) {
	defer conn.Close()
	made := map[int]*bareAnswer{} // by the length of the request, which is the same request again
	buf := make([]byte, bareBuffer)
	start, end := 0, 0
	var out []byte
	for {
		n, err := conn.Read(buf[end:])
		if err != nil {
			return
		}
		end += n
		for end-start >= 4 {
			size := 4 + int(binary.BigEndian.Uint32(buf[start:]))
			if size > len(buf) || end-start < size {
				break
			}
			frame := buf[start : start+size]
			start += size
			a := made[size]
			if a == nil {
				if a, err = answerTo(frame); err != nil {
					fmt.Fprintln(os.Stderr, bareLoop+":", err)
					return
				}
				made[size] = a
			}
			id := frame[correlationAt : correlationAt+4]
			copy(a.head[4:], id)
			if a.records > 0 {
				at := b.read.Add(int64(a.records)) % (b.size - int64(a.records))
				vecs := net.Buffers{a.head, b.mapped[at : at+int64(a.records)], a.tail}
				if _, err := vecs.WriteTo(conn); err != nil {
					return
				}
				continue
			}
			if crc32.Checksum(frame, castagnoli) == 0 {
				return // it has to be computed for something
			}
			at := b.end.Add(int64(size)) % (b.size - int64(size))
			if _, err := b.file.WriteAt(frame, at); err != nil {
				return
			}
			out = append(out, a.head...)
		}
		if len(out) > 0 {
			if _, err := conn.Write(out); err != nil {
				return
			}
			out = out[:0]
		}
		if start == end {
			start, end = 0, 0
		} else if start > 0 {
			end = copy(buf, buf[start:end])
			start = 0
		}
	}
}

// answerTo makes the answer of success to a Produce or Fetch request as bench sends them. A Fetch gets as many bytes of
// records as it takes.
func answerTo(frame []byte) (*bareAnswer, error) {
	key, version := int16(binary.BigEndian.Uint16(frame[4:])), int16(binary.BigEndian.Uint16(frame[6:]))
	client := int(binary.BigEndian.Uint16(frame[12:]))
	body := frame[14+client+1:] // header version 2 ends with tags, of which there are none
	a := &bareAnswer{head: make([]byte, 9)}
	switch kmsg.Key(key) {
	case kmsg.Produce:
		req := kmsg.NewPtrProduceRequest()
		req.Version = version
		if err := req.ReadFrom(body); err != nil {
			return nil, err
		}
		resp := req.ResponseKind().(*kmsg.ProduceResponse)
		for _, t := range req.Topics {
			o := kmsg.NewProduceResponseTopic()
			o.Topic = t.Topic
			for _, p := range t.Partitions {
				op := kmsg.NewProduceResponseTopicPartition()
				op.Partition = p.Partition
				o.Partitions = append(o.Partitions, op)
			}
			resp.Topics = append(resp.Topics, o)
		}
		a.head = resp.AppendTo(a.head)
	case kmsg.Fetch:
		req := kmsg.NewPtrFetchRequest()
		req.Version = version
		if err := req.ReadFrom(body); err != nil {
			return nil, err
		}
		a.records = int(req.Topics[0].Partitions[0].PartitionMaxBytes)
		resp := req.ResponseKind().(*kmsg.FetchResponse)
		o, p := kmsg.NewFetchResponseTopic(), kmsg.NewFetchResponseTopicPartition()
		o.Topic = req.Topics[0].Topic
		const mark = "records"
		p.RecordBatches = []byte(mark + strings.Repeat(" ", a.records-len(mark)))
		o.Partitions = append(o.Partitions, p)
		resp.Topics = append(resp.Topics, o)
		whole := resp.AppendTo(a.head)
		at := strings.Index(string(whole), mark)
		a.head, a.tail = whole[:at:at], whole[at+a.records:]
	default:
		return nil, fmt.Errorf("request of key %d", key)
	}
	binary.BigEndian.PutUint32(a.head, uint32(len(a.head)+a.records+len(a.tail)-4))
	return a, nil
}
