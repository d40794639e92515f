package controller

import (
	"fmt"
	"strings"
)

// Topics that belong to the cluster itself, as Kafka names them.
const (
	groupMetadataTopic    = "__consumer_offsets"
	transactionStateTopic = "__transaction_state"
	shareGroupStateTopic  = "__share_group_state"
	clusterMetadataTopic  = "__cluster_metadata"
)

const maxTopicNameLength = 249 // a directory name of 255, less "-" and the partition's digits

// IsInternalTopic says whether Kafka marks a topic of this name as internal.
func IsInternalTopic(name string) bool {
	return name == groupMetadataTopic || name == transactionStateTopic || name == shareGroupStateTopic
}

// ValidateTopicName returns why a name is not allowed, in Kafka's words, or "".
func ValidateTopicName(name string) string {
	reason := ""
	switch {
	case name == "":
		reason = "the empty string is not allowed"
	case name == "." || name == "..":
		reason = fmt.Sprintf("'%s' is not allowed", name)
	case len(name) > maxTopicNameLength:
		reason = fmt.Sprintf("the length of '%s' is longer than the max allowed length %d", name, maxTopicNameLength)
	case strings.IndexFunc(name, func(c rune) bool { return !legalInTopicName(c) }) >= 0:
		reason = fmt.Sprintf("'%s' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'", name)
	default:
		return ""
	}
	return "Topic name is invalid: " + reason
}

func legalInTopicName(c rune) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '-'
}

// hasCollisionChars: names that differ only in "." and "_" would have the same names of metrics, and Kafka refuses the
// second.
func hasCollisionChars(name string) bool { return strings.ContainsAny(name, "._") }

func unifyCollisionChars(name string) string { return strings.ReplaceAll(name, ".", "_") }
