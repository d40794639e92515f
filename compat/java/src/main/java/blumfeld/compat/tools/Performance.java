package blumfeld.compat.tools;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import blumfeld.compat.harness.Await;
import blumfeld.compat.harness.Broker;
import blumfeld.compat.harness.Records;
import blumfeld.compat.harness.Shape;
import blumfeld.compat.harness.Transactions;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.tools.ConsumerPerformance;
import org.apache.kafka.tools.EndToEndLatency;
import org.apache.kafka.tools.ProducerPerformance;
import org.apache.kafka.tools.ReplicaVerificationTool;
import org.junit.jupiter.api.Test;

/** The tools that measure: kafka-producer-perf-test, kafka-consumer-perf-test, kafka-e2e-latency; kafka-replica-verification. */
class Performance {
    @Test
    void produceAndConsume() throws Exception {
        String topic = Records.topic("perf", 2);
        Shape.has("20000 records sent, <rate> records/sec (<rate> MB/sec), <ms> ms avg latency, <ms> ms max latency, "
                        + "<ms> ms 50th, <ms> ms 95th, <ms> ms 99th, <ms> ms 99.9th.",
                Commands.run(ProducerPerformance::main, "--topic", topic, "--num-records", "20000", "--record-size", "100",
                        "--throughput", "-1").ok());
        // 20000 records of 100 bytes are 1.9073 MiB.
        Shape.same("""
                start.time, end.time, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec
                <...>, 1.9073, <rate>, 20000, <...>
                """, Commands.run(ConsumerPerformance::main, "--topic", topic, "--num-records", "20000", "--timeout", "20000").ok());
    }

    @Test
    void transactions() throws Exception {
        TopicPartition partition = new TopicPartition(Records.topic("perf", 1), 0);
        Shape.has("500 records sent, <...>", Commands.run(ProducerPerformance::main, "--topic", partition.topic(), "--num-records", "500",
                "--record-size", "100", "--throughput", "1000", "--transactional-id", Broker.fresh("perf"),
                "--transaction-duration-ms", "50").ok());
        Await.untilPasses(() -> assertEquals(500, Transactions.committed(partition).size()));
        // Each transaction has left a marker.
        assertTrue(Transactions.stableEnd(partition) > 502, () -> "ends at " + Transactions.stableEnd(partition));
    }

    @Test
    void endToEndLatency() throws Exception {
        String topic = Records.topic("e2e", 1);
        Shape.has("""
                Avg latency: <ms> ms
                Percentiles: 50th = <ms> 99th = <ms> 99.9th = <ms>
                """, Commands.run(EndToEndLatency::main, "--topic", topic, "--num-records", "100", "--producer-acks", "all",
                        "--record-size", "20").ok());
    }

    @Test
    void replicaVerification() throws Exception {
        String topic = Records.topic("verified", 1);
        Records.produce(topic, 0, "one", "two");
        Tool verification = Tool.start(ReplicaVerificationTool::main, "--broker-list", Broker.address(), "--topics-include", topic,
                "--report-interval-ms", "200");
        String report = "<date> <time> max lag is 0 for partition %s-0 at offset 2 among 1 partitions".formatted(topic);
        Await.untilPasses(() -> Shape.has(report, verification.out()));
        verification.stop();
    }
}
