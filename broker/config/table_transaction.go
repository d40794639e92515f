package config

// Transactions.
func transactionRows() []row {
	return []row{
		{"transaction.max.timeout.ms", Int, "900000", atLeast(1), High, ReadOnly,
			"The longest transaction timeout that a producer may ask for, in milliseconds."},
		{"transactional.id.expiration.ms", Int, "604800000", atLeast(1), High, ReadOnly,
			"A transactional id that is not in use is forgotten after this many milliseconds."},
		{"transaction.two.phase.commit.enable", Bool, "false", Rule{}, Low, ReadOnly,
			"Whether producers may take part in two-phase commits directed from outside (KIP-939)."},
		{"transaction.partition.verification.enable", Bool, "true", Rule{}, Low, ClusterWide,
			"Whether a transactional write is accepted only after the coordinator confirmed that its partition belongs to the transaction."},
		{"transaction.state.log.replication.factor", Short, "3", atLeast(1), High, ReadOnly,
			"Replicas of __transaction_state."},
		{"transaction.state.log.num.partitions", Int, "50", atLeast(1), High, ReadOnly,
			"Partitions of __transaction_state; not to be changed once it exists."},
		{"transaction.state.log.min.isr", Int, "2", atLeast(1), High, ReadOnly,
			"In-sync replicas that a write to __transaction_state needs."},
		{"transaction.state.log.segment.bytes", Int, "104857600", atLeast(1), High, ReadOnly,
			"Segment size of __transaction_state, in bytes."},
		{"transaction.state.log.load.buffer.size", Int, "5242880", atLeast(1), High, ReadOnly,
			"Bytes read at once when a coordinator loads transactions."},
		{"transaction.abort.timed.out.transaction.cleanup.interval.ms", Int, "10000", atLeast(1), Low, ReadOnly,
			"Milliseconds between two looks for transactions that have timed out."},
		{"transaction.remove.expired.transaction.cleanup.interval.ms", Int, "3600000", atLeast(1), Low, ReadOnly,
			"Milliseconds between two looks for transactional ids that have expired."},
		{"add.partitions.to.txn.retry.backoff.ms", Int, "20", atLeast(1), High, ReadOnly,
			"Milliseconds that the broker waits before it asks the transaction coordinator again on behalf of a producer."},
		{"add.partitions.to.txn.retry.backoff.max.ms", Int, "100", atLeast(0), High, ReadOnly,
			"Milliseconds after which the broker stops asking the transaction coordinator again and leaves it to the producer."},
	}
}
