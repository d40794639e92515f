package api

// The operations that a client may perform, as bit fields over Kafka's
// AclOperation codes (KIP-430). Metadata, DescribeCluster,
// DescribeTopicPartitions and DescribeGroups answer them when asked; a response that was not asked
// keeps the protocol's default, math.MinInt32.
//
// Without an authorizer, as here, everything that exists for the resource is
// allowed (Kafka's AuthHelper.authorizedOperations).

// AclOperation codes, as on the wire.
const (
	aclRead = 3 + iota
	aclWrite
	aclCreate
	aclDelete
	aclAlter
	aclDescribe
	aclClusterAction
	aclDescribeConfigs
	aclAlterConfigs
	aclIdempotentWrite
)

// authorizedTopicOperations is what may be done with a topic.
func authorizedTopicOperations() int32 {
	return operations(aclRead, aclWrite, aclCreate, aclDelete, aclAlter, aclDescribe,
		aclDescribeConfigs, aclAlterConfigs)
}

// authorizedClusterOperations is what may be done with the cluster.
func authorizedClusterOperations() int32 {
	return operations(aclCreate, aclAlter, aclDescribe, aclClusterAction,
		aclDescribeConfigs, aclAlterConfigs, aclIdempotentWrite)
}

// authorizedGroupOperations is what may be done with a group.
func authorizedGroupOperations() int32 {
	return operations(aclRead, aclDelete, aclDescribe, aclDescribeConfigs, aclAlterConfigs)
}

func operations(codes ...int) (bits int32) {
	for _, c := range codes {
		bits |= 1 << c
	}
	return bits
}
