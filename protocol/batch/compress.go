package batch

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// appendCompressed appends records to dst, compressed as Kafka's clients do it:
// one gzip member, xerial frames of snappy, an LZ4 frame of independent 64 KiB
// blocks, one zstd frame.
func appendCompressed(dst []byte, codec Codec, records []byte) ([]byte, error) {
	switch codec {
	case None:
		return append(dst, records...), nil
	case Snappy:
		return appendXerial(dst, records), nil
	case Gzip:
		w := gzipWriters.Get().(*gzip.Writer)
		defer gzipWriters.Put(w)
		out := bytes.NewBuffer(dst)
		w.Reset(out)
		if _, err := w.Write(records); err != nil {
			return nil, err
		}
		err := w.Close()
		return out.Bytes(), err
	case LZ4:
		out := bytes.NewBuffer(dst)
		w := lz4.NewWriter(out)
		// The content checksum is optional, and Kafka neither writes nor reads it.
		if err := w.Apply(lz4.BlockSizeOption(lz4.Block64Kb), lz4.ChecksumOption(false), lz4.ConcurrencyOption(1)); err != nil {
			return nil, err
		}
		if _, err := w.Write(records); err != nil {
			return nil, err
		}
		err := w.Close()
		return out.Bytes(), err
	case Zstd:
		w := zstdWriters.Get().(*zstd.Encoder)
		defer zstdWriters.Put(w)
		return w.EncodeAll(records, dst), nil
	}
	return nil, fmt.Errorf("compression codec %d", codec)
}

var gzipWriters = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

var zstdWriters = sync.Pool{New: func() any {
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false))
	if err != nil {
		panic(err) // only for options that contradict each other
	}
	return w
}}
