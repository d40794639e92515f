package group

import (
	"encoding/binary"
	"errors"
)

// consumerProtocolType is the protocol type of Kafka's consumers.
const consumerProtocolType = "consumer"

var errSubscription = errors.New("group: malformed consumer protocol subscription")

// subscribedTopics reads the topics from a consumer's metadata (ConsumerProtocolSubscription). Later versions only
// append to v0, which is: int16 version, int32 count, count strings of int16 length. The bytes come from a client.
func subscribedTopics(b []byte) ([]string, error) {
	if len(b) < 6 || int16(binary.BigEndian.Uint16(b)) < 0 {
		return nil, errSubscription
	}
	n := int(int32(binary.BigEndian.Uint32(b[2:])))
	b = b[6:]
	if n < 0 || n > len(b)/2 {
		return nil, errSubscription
	}
	topics := make([]string, 0, n)
	for range n {
		if len(b) < 2 {
			return nil, errSubscription
		}
		size := int(int16(binary.BigEndian.Uint16(b)))
		if size < 0 || size > len(b)-2 {
			return nil, errSubscription
		}
		topics = append(topics, string(b[2:2+size]))
		b = b[2+size:]
	}
	return topics, nil
}
