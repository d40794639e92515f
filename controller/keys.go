package controller

import (
	"strconv"
	"strings"
)

// The key layout; doc.go explains it.
const (
	metaPrefix                 = "meta/"
	formatKey                  = metaPrefix + "format"
	clusterIDKey               = metaPrefix + "cluster-id"
	producerIDsKey             = metaPrefix + "producer-ids"
	rebuildKey                 = metaPrefix + "rebuild" // there while metadata is being rebuilt; see BeginRebuild
	featuresKey                = metaPrefix + "features"
	brokersPrefix              = metaPrefix + "brokers/"
	brokerConfigsPrefix        = metaPrefix + "configs/brokers/"
	clientMetricsConfigsPrefix = metaPrefix + "configs/client-metrics/"
	groupConfigsPrefix         = metaPrefix + "configs/groups/"
	topicConfigsPrefix         = metaPrefix + "configs/topics/"
	namesPrefix                = metaPrefix + "names/"
	partitionsPrefix           = metaPrefix + "partitions/"
	topicsPrefix               = metaPrefix + "topics/"
)

// formatVersion is the version of the layout that this program writes, and the highest that it reads.
const formatVersion = "1"

func topicKey(name string) string { return topicsPrefix + name }

func nameGuardKey(name string) string { return namesPrefix + unifyCollisionChars(name) }

func topicConfigKey(id [16]byte) string { return topicConfigsPrefix + FormatID(id) }

// namedConfigKey is where the configuration of a resource lies that is known by its name, which all are but topics.
func namedConfigKey(r ConfigResource) (key string, ok bool) {
	switch r.Type {
	case ResourceBroker:
		return brokerConfigsPrefix + r.Name, true
	case ResourceClientMetrics:
		return clientMetricsConfigsPrefix + r.Name, true
	case ResourceGroup:
		return groupConfigsPrefix + r.Name, true
	}
	return "", false
}

// parseNamedConfigKey is the reverse of namedConfigKey.
func parseNamedConfigKey(key string) (r ConfigResource, ok bool) {
	if name, ok := strings.CutPrefix(key, brokerConfigsPrefix); ok {
		return ConfigResource{ResourceBroker, name}, true
	}
	if name, ok := strings.CutPrefix(key, clientMetricsConfigsPrefix); ok {
		return ConfigResource{ResourceClientMetrics, name}, true
	}
	if name, ok := strings.CutPrefix(key, groupConfigsPrefix); ok {
		return ConfigResource{ResourceGroup, name}, true
	}
	return ConfigResource{}, false
}

func brokerKey(id int32) string { return brokersPrefix + strconv.Itoa(int(id)) }

func topicPartitionsPrefix(id [16]byte) string { return partitionsPrefix + FormatID(id) + "/" }

const partitionDigits = 10

func partitionKey(id [16]byte, partition int32) string {
	var digits [partitionDigits]byte
	for i, n := partitionDigits-1, partition; i >= 0; i-- {
		digits[i] = byte('0' + n%10)
		n /= 10
	}
	return topicPartitionsPrefix(id) + string(digits[:])
}

// parsePartitionKey is the reverse of partitionKey.
func parsePartitionKey(key string) (id [16]byte, partition int32, ok bool) {
	rest, ok := strings.CutPrefix(key, partitionsPrefix)
	if !ok || len(rest) != 22+1+partitionDigits || rest[22] != '/' {
		return id, 0, false
	}
	if id, ok = ParseID(rest[:22]); !ok {
		return id, 0, false
	}
	n, err := strconv.ParseUint(rest[23:], 10, 31)
	return id, int32(n), err == nil
}

// parseBrokerKey is the reverse of brokerKey.
func parseBrokerKey(key string) (id int32, ok bool) {
	rest, ok := strings.CutPrefix(key, brokersPrefix)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(rest, 10, 31)
	return int32(n), err == nil
}
