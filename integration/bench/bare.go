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
// a segment whose blocks are there but whose pages are not, as a log's are, and from the segment's mapping to a socket
// by one vectored write. It is a process of its own, of this same program, so that the kernel accounts for it as for a
// broker. It is the physical limit beside which the brokers stand: no broker could be made of it.

const (
	bareLoop = "bare loop"
	// bareCommand is the argument by which this program becomes a bare loop.
	bareCommand = "bare-loop"
	// bareSegment is the size of a segment in bytes, segment.bytes of a broker.
	bareSegment = 1 << 30
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

// bare is the process. A CreateTopics request, which is to come between the loads, gives it a fresh segment.
type bare struct {
	dir  string
	size int64 // of a segment
	log  atomic.Pointer[bareLog]
}

// bareLog is a topic: what is written follows what was, in as many segments as it takes; what is read is the first
// segment, again and again.
type bareLog struct {
	first    *segment
	mu       sync.Mutex // makes segments
	segments []*segment
	active   atomic.Pointer[segment]
	read     atomic.Int64 // bytes
}

// segment is a file without a name: nothing is left of it.
type segment struct {
	file   *os.File
	mapped []byte
	end    atomic.Int64 // of what was written, or had no room any more
}

func newSegment(dir string, size int64) (*segment, error) {
	f, err := os.CreateTemp(dir, "bare-")
	if err != nil {
		return nil, err
	}
	if err := errors.Join(os.Remove(f.Name()), allocate(f, size)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	mapped, err := syscall.Mmap(int(f.Fd()), 0, int(size), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &segment{file: f, mapped: mapped}, nil
}

// renew begins a fresh log; nobody uses the one before any more.
func (b *bare) renew() error {
	s, err := newSegment(b.dir, b.size)
	if err != nil {
		return err
	}
	l := &bareLog{first: s, segments: []*segment{s}}
	l.active.Store(s)
	return b.log.Swap(l).close()
}

func (l *bareLog) close() (err error) {
	if l == nil {
		return nil
	}
	for _, s := range l.segments {
		err = errors.Join(err, syscall.Munmap(s.mapped), s.file.Close())
	}
	return err
}

// write appends, to a further segment where this one is full.
func (b *bare) write(p []byte) error {
	l := b.log.Load()
	for {
		s := l.active.Load()
		if end := s.end.Add(int64(len(p))); end <= b.size {
			_, err := s.file.WriteAt(p, end-int64(len(p)))
			return err
		}
		if err := l.roll(s, b); err != nil {
			return err
		}
	}
}

// roll makes a segment active behind one that is full, once.
func (l *bareLog) roll(full *segment, b *bare) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.active.Load() != full {
		return nil
	}
	s, err := newSegment(b.dir, b.size)
	if err != nil {
		return err
	}
	l.segments = append(l.segments, s)
	l.active.Store(s)
	return nil
}

// next are the n bytes that a reader gets, of what was written if that is enough.
func (b *bare) next(n int) []byte {
	l := b.log.Load()
	span := min(l.first.end.Load(), b.size)
	if span < 2*int64(n) {
		span = b.size
	}
	at := l.read.Add(int64(n)) % (span - int64(n))
	return l.first.mapped[at : at+int64(n)]
}

// runBare prints its address and serves until it is killed.
func runBare(dir string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	return serveBare(l, dir, bareSegment)
}

// serveBare serves until the listener is closed, and returns when all connections have ended.
func serveBare(l net.Listener, dir string, size int64) error {
	b := &bare{dir: dir, size: size}
	if err := b.renew(); err != nil {
		return err
	}
	var serving sync.WaitGroup
	defer func() {
		serving.Wait()
		b.log.Load().close()
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
	renews     bool
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
			switch {
			case a.records > 0:
				vecs := net.Buffers{a.head, b.next(a.records), a.tail}
				_, err = vecs.WriteTo(conn)
			case a.renews:
				err = b.renew()
				out = append(out, a.head...)
			default:
				if crc32.Checksum(frame, castagnoli) == 0 {
					return // it has to be computed for something
				}
				err = b.write(frame)
				out = append(out, a.head...)
			}
			if err != nil {
				fmt.Fprintln(os.Stderr, bareLoop+":", err)
				return
			}
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

// answerTo makes the answer of success to a Produce, Fetch or CreateTopics request as bench sends them. A Fetch gets as many bytes of
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
	case kmsg.CreateTopics:
		resp := kmsg.NewPtrCreateTopicsResponse()
		resp.Version = version
		a.head, a.renews = resp.AppendTo(a.head), true
	default:
		return nil, fmt.Errorf("request of key %d", key)
	}
	binary.BigEndian.PutUint32(a.head, uint32(len(a.head)+a.records+len(a.tail)-4))
	return a, nil
}
