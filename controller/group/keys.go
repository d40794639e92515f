package group

import (
	"strconv"
	"strings"
)

// The key layout; doc.go explains it.
const (
	groupsPrefix = "groups/g/"
	ownerPrefix  = "groups/owner/"
	headName     = "head"
	memberName   = "m/"
	offsetsName  = "o/"
	pendingName  = "p/"
)

func ownerKey(shard int) string { return ownerPrefix + strconv.Itoa(shard) }

// keyEscaper makes a group id one path element, so that no group's keys are a prefix of another's.
var keyEscaper, keyUnescaper = strings.NewReplacer("%", "%25", "/", "%2F"), strings.NewReplacer("%25", "%", "%2F", "/")

func groupPrefix(group string) string { return groupsPrefix + keyEscaper.Replace(group) + "/" }

// blockDigits is how many digits the number of a block has in a key.
const blockDigits = 8

// blockSize is the number of partitions whose offsets share a key.
const blockSize = 64

// blockID names the offsets of partitions number*blockSize to number*blockSize+63 of a topic.
type blockID struct {
	topic  string
	number int32
}

func blockOf(topic string, partition int32) (blockID, uint8) {
	return blockID{topic, partition / blockSize}, uint8(partition % blockSize)
}

func (b blockID) keyIn(prefix string) string { return b.keyAfter(prefix, offsetsName) }

func (b blockID) keyAfter(prefix, name string) string {
	topic := keyEscaper.Replace(b.topic)
	key := make([]byte, 0, len(prefix)+len(name)+len(topic)+1+blockDigits)
	key = append(append(append(key, prefix...), name...), topic...)
	key = append(key, '/')
	number := strconv.Itoa(int(b.number))
	for range blockDigits - len(number) {
		key = append(key, '0')
	}
	return string(append(key, number...))
}

// parseKey splits a key under groupsPrefix into the group and the rest.
func parseKey(key string) (group, rest string, ok bool) {
	key, ok = strings.CutPrefix(key, groupsPrefix)
	if !ok {
		return "", "", false
	}
	group, rest, ok = strings.Cut(key, "/")
	return keyUnescaper.Replace(group), rest, ok
}

func parseBlock(rest string) (b blockID, ok bool) {
	topic, number, ok := strings.Cut(rest, "/")
	n, err := strconv.ParseUint(number, 10, 31)
	if !ok || err != nil || n > (1<<31-1)/blockSize {
		return blockID{}, false
	}
	return blockID{keyUnescaper.Replace(topic), int32(n)}, true
}

// pendingID names the pending offsets that a producer's transaction has in a block.
type pendingID struct {
	producerID int64
	block      blockID
}

func (p pendingID) keyIn(prefix string) string {
	return p.block.keyAfter(prefix, pendingName+strconv.FormatInt(p.producerID, 10)+"/")
}

func parsePending(rest string) (p pendingID, ok bool) {
	producer, rest, ok := strings.Cut(rest, "/")
	id, err := strconv.ParseInt(producer, 10, 64)
	if !ok || err != nil || id < 0 {
		return pendingID{}, false
	}
	block, ok := parseBlock(rest)
	return pendingID{id, block}, ok
}
