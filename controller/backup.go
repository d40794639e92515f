package controller

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"slices"
)

// A backup is a line that says what it is, the version of its form (uint32), an entry for each key in ascending order,
// an empty entry, the number of keys (uint64) and the CRC-32C of all before it (uint32). An entry is a key and a value,
// each after its length (uvarint). Numbers of fixed size are big-endian.
const (
	backupMagic   = "Blumfeld metadata\n"
	backupVersion = 1
)

// maxBackupBytes bounds key and value of a backup's entry, in bytes: what a transaction could have written.
const maxBackupBytes = MaxTxnBytes

// ErrBackup is wrapped by errors about what is, or is not, in a backup.
var ErrBackup = errors.New("not a complete backup of metadata")

// WriteBackup writes all that the store holds, as it is at one revision.
func WriteBackup(ctx context.Context, store Store, w io.Writer) error {
	kvs, _, err := store.Range(ctx, "")
	if err != nil {
		return fmt.Errorf("read metadata: %w", err)
	}
	out := bufio.NewWriter(w)
	sum := crc32.New(castagnoli())
	both := io.MultiWriter(out, sum) // bufio keeps the first error for Flush
	both.Write(binary.BigEndian.AppendUint32([]byte(backupMagic), backupVersion))
	var entry []byte
	for _, kv := range kvs {
		entry = binary.AppendUvarint(entry[:0], uint64(len(kv.Key)))
		entry = append(entry, kv.Key...)
		entry = binary.AppendUvarint(entry, uint64(len(kv.Value)))
		both.Write(append(entry, kv.Value...))
	}
	both.Write(binary.BigEndian.AppendUint64([]byte{0}, uint64(len(kvs))))
	binary.Write(out, binary.BigEndian, sum.Sum32())
	return out.Flush()
}

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// ReadBackup reads a backup and puts what it holds into the store, which has to be empty. The registrations of brokers
// are left out: a broker makes its own when it starts. To check a backup, give no store.
//
// Errors: one that wraps ErrBackup if the backup is damaged or cut off; the store may hold a part of it then.
func ReadBackup(ctx context.Context, r io.Reader, store Store) (keys int, err error) {
	in := &backupReader{in: bufio.NewReader(r), sum: crc32.New(castagnoli())}
	if head := in.bytes(len(backupMagic)); string(head) != backupMagic {
		return 0, fmt.Errorf("%w: it does not begin like one", ErrBackup)
	}
	if v := in.bytes(4); in.err == nil && binary.BigEndian.Uint32(v) != backupVersion {
		return 0, fmt.Errorf("%w that this program reads: version %d", ErrBackup, binary.BigEndian.Uint32(v))
	}
	var ops []Op
	gathered := 0 // bytes of ops
	flush := func() error {
		defer func() { ops, gathered = nil, 0 }()
		if store == nil {
			return nil
		}
		for chunk := range chunkOps(ops) {
			if _, _, err := store.Txn(ctx, nil, chunk); err != nil {
				return fmt.Errorf("write metadata: %w", err)
			}
		}
		return nil
	}
	for {
		key := in.entry()
		if in.err != nil || len(key) == 0 {
			break
		}
		value := in.entry()
		keys++
		if _, registration := parseBrokerKey(string(key)); !registration {
			op := Put(string(key), value)
			ops, gathered = append(ops, op), gathered+op.size()
		}
		if len(ops) == MaxTxnOps || gathered >= MaxTxnBytes {
			if err := flush(); err != nil {
				return keys, err
			}
		}
	}
	count := in.bytes(8)
	sum := in.sum.Sum32()
	stored := in.bytes(4)
	switch {
	case in.err != nil:
		return keys, fmt.Errorf("%w: %w", ErrBackup, in.err)
	case binary.BigEndian.Uint64(count) != uint64(keys) || binary.BigEndian.Uint32(stored) != sum:
		return keys, fmt.Errorf("%w: its checksum is wrong", ErrBackup)
	}
	return keys, flush()
}

// ErrInUse is BeginRebuild's for a store that holds metadata.
var ErrInUse = errors.New("the metadata is not lost")

// BeginRebuild empties a store for metadata that comes from elsewhere, if it is empty or holds what a rebuild left that
// was cut off; else it is ErrInUse. Until EndRebuild the store counts as empty, whatever is written to it.
func BeginRebuild(ctx context.Context, store Store) error {
	empty, err := IsEmpty(ctx, store)
	if err != nil {
		return err
	}
	if !empty {
		return ErrInUse
	}
	kvs, _, err := store.Range(ctx, "")
	if err != nil {
		return fmt.Errorf("read metadata: %w", err)
	}
	ops := []Op{Put(rebuildKey, nil)} // before the first deletion: chunks are written in order
	for _, kv := range kvs {
		if kv.Key != rebuildKey {
			ops = append(ops, Delete(kv.Key))
		}
	}
	for chunk := range chunkOps(ops) {
		if _, _, err := store.Txn(ctx, nil, chunk); err != nil {
			return fmt.Errorf("write metadata: %w", err)
		}
	}
	return nil
}

// EndRebuild says that the store is complete.
func EndRebuild(ctx context.Context, store Store) error {
	_, _, err := store.Txn(ctx, nil, []Op{Delete(rebuildKey)})
	return err
}

// IsEmpty says whether the store holds no metadata, or none that is complete.
func IsEmpty(ctx context.Context, store Store) (bool, error) {
	kvs, _, err := store.Range(ctx, metaPrefix)
	return len(kvs) == 0 || slices.ContainsFunc(kvs, func(kv KV) bool { return kv.Key == rebuildKey }), err
}

// backupReader reads and sums; its first error stays.
type backupReader struct {
	in  *bufio.Reader
	sum hash.Hash32
	err error
}

func (r *backupReader) ReadByte() (byte, error) {
	b := r.bytes(1)
	if r.err != nil {
		return 0, r.err
	}
	return b[0], nil
}

// entry reads a length and that many bytes.
func (r *backupReader) entry() []byte {
	n, err := binary.ReadUvarint(r)
	if err == nil && n > maxBackupBytes {
		err = fmt.Errorf("an entry of %d bytes", n)
	}
	if r.err == nil {
		r.err = err
	}
	return r.bytes(int(min(n, maxBackupBytes)))
}

// bytes reads n bytes; less, all zero, if they are not there.
func (r *backupReader) bytes(n int) []byte {
	p := make([]byte, n)
	if r.err != nil {
		return p
	}
	if _, r.err = io.ReadFull(r.in, p); errors.Is(r.err, io.EOF) {
		r.err = io.ErrUnexpectedEOF
	}
	r.sum.Write(p)
	return p
}
