package batch

import (
	"fmt"
	"strings"
)

// Codec is how a batch's records are compressed, by the number it has in the
// attributes.
type Codec int8

const (
	None   Codec = 0
	Gzip   Codec = 1
	Snappy Codec = 2
	LZ4    Codec = 3
	Zstd   Codec = 4
)

func (c Codec) known() bool { return c >= None && c <= Zstd }

// String is the codec's name in compression.type.
func (c Codec) String() string {
	switch c {
	case None:
		return "none"
	case Gzip:
		return "gzip"
	case Snappy:
		return "snappy"
	case LZ4:
		return "lz4"
	case Zstd:
		return "zstd"
	}
	return fmt.Sprintf("codec(%d)", int8(c))
}

// ParseCodec is the inverse of String. Kafka's "uncompressed" is None too;
// "producer", which leaves the codec to the producer, is not a codec.
func ParseCodec(name string) (Codec, error) {
	switch strings.ToLower(name) {
	case "none", "uncompressed":
		return None, nil
	case "gzip":
		return Gzip, nil
	case "snappy":
		return Snappy, nil
	case "lz4":
		return LZ4, nil
	case "zstd":
		return Zstd, nil
	}
	return 0, fmt.Errorf("unknown compression codec %q", name)
}
