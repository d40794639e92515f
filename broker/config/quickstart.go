package config

// quickStart is what a broker is configured with unless it is told otherwise, and
// where that differs from Kafka's defaults: the settings of the server.properties
// that Kafka's own quick start runs with, but for socket buffers. They form a layer
// below the user's properties, so DescribeConfigs reports them as static
// configuration and Kafka's default beside them.
//
// The directory for the data (log.dirs) is no constant and therefore main's to
// choose.
func quickStart() []struct{ key, value, why string } {
	return []struct{ key, value, why string }{
		{"node.id", "1", "Kafka has no default; 1 is the first id it hands out."},
		{"process.roles", "broker,controller", "Kafka has no default; a single node is both."},
		{"controller.listener.names", "CONTROLLER", "Kafka has no default; a single node opens no such listener."},
		{"listeners", "PLAINTEXT://localhost:9092", "Without authentication, nobody but this machine is let in unasked."},
		{"offsets.topic.replication.factor", "1", "A single node holds one replica."},
		{"transaction.state.log.replication.factor", "1", "A single node holds one replica."},
		{"transaction.state.log.min.isr", "1", "A single node holds one replica."},
		{"share.coordinator.state.topic.replication.factor", "1", "A single node holds one replica."},
		{"share.coordinator.state.topic.min.isr", "1", "A single node holds one replica."},
		{"group.initial.rebalance.delay.ms", "0", "Somebody trying things out sees the first record at once."},
		{"socket.receive.buffer.bytes", "-1", "Kafka's 100 KiB hold less than a batch of 128 KiB: a producer's next requests wait for us to read the last, one system call and one wake-up each."},
		{"socket.send.buffer.bytes", "-1", "The system lets a socket's buffers grow with what its client takes."},
	}
}
