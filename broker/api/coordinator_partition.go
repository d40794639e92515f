package api

import (
	"math"

	"blumfeld/broker/config"
	"blumfeld/controller"
)

// OffsetsPartition is the partition of __consumer_offsets that a group's offsets
// belong to, as of an image; before the topic is created, the one that will be.
func OffsetsPartition(c config.Values, image *controller.Image, group string) int32 {
	n := c.Int("offsets.topic.num.partitions")
	if t, ok := image.Topic(groupMetadataTopic); ok {
		n = len(t.Partitions)
	}
	return coordinatorPartition(group, n)
}

// coordinatorPartition is the partition of an internal topic whose leader
// coordinates a group or transactional id. Offsets and transactions are keyed by
// it, so it must stay what Kafka's Utils.abs(key.hashCode) % n is.
func coordinatorPartition(key string, partitions int) int32 {
	hash := int(int32(javaHash(key)))
	if hash == math.MinInt32 {
		hash = 0 // it has no absolute value in 32 bits
	}
	return int32(max(hash, -hash) % partitions)
}

// javaHash is String.hashCode of Java: over UTF-16 code units.
func javaHash(s string) (h uint32) {
	for _, r := range s {
		if r >= 0x10000 {
			r -= 0x10000
			h = 31*h + uint32(0xd800+r>>10)
			r = 0xdc00 + r&0x3ff
		}
		h = 31*h + uint32(r)
	}
	return h
}
