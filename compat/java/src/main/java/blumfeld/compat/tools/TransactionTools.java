package blumfeld.compat.tools;

import static blumfeld.compat.harness.Transactions.commit;
import static blumfeld.compat.harness.Transactions.committed;
import static blumfeld.compat.harness.Transactions.producer;
import static blumfeld.compat.harness.Transactions.send;

import blumfeld.compat.harness.Await;
import blumfeld.compat.harness.Broker;
import blumfeld.compat.harness.Records;
import blumfeld.compat.harness.Shape;
import blumfeld.compat.harness.Transactions;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.tools.TransactionsCommand;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.ResourceAccessMode;
import org.junit.jupiter.api.parallel.ResourceLock;

/** kafka-transactions. */
@ResourceLock(value = Transactions.VERSION, mode = ResourceAccessMode.READ)
class TransactionTools {
    private static final String LIST = "TransactionalId Coordinator ProducerId TransactionState\n";
    private static final String DESCRIBE = "CoordinatorId TransactionalId ProducerId ProducerEpoch TransactionState TransactionTimeoutMs"
            + " CurrentTransactionStartTimeMs TransactionDurationMs TopicPartitions\n";
    private static final String PRODUCERS =
            "ProducerId ProducerEpoch LatestCoordinatorEpoch LastSequence LastTimestamp CurrentTransactionStartOffset\n";
    private static final String HANGING = "Topic Partition ProducerId ProducerEpoch CoordinatorEpoch StartOffset LastTimestamp Duration(min)";
    private final String id = Broker.fresh("txn-tool");
    private TopicPartition partition;

    @BeforeEach
    void createTopic() throws Exception {
        partition = new TopicPartition(Records.topic("txn-tool", 1), 0);
    }

    @Test
    void list() throws Exception {
        try (KafkaProducer<String, String> done = producer(id + "-done");
                KafkaProducer<String, String> open = producer(id + "-open")) {
            commit(done, partition, "done");
            open.beginTransaction();
            send(open, partition, "open");
            String both = LIST + "%s-done 1 <id> CompleteCommit\n%s-open 1 <id> Ongoing".formatted(id, id);
            Await.untilPasses(() -> Shape.sameLines(both, run("list", "--transactional-id-pattern", id + ".*").ok()));
            Shape.has(LIST + id + "-open 1 <id> Ongoing", run("list", "--duration-filter", "0").ok());
            Shape.same(LIST, run("list", "--transactional-id-pattern", id + ".*", "--duration-filter", "3600000").ok());
            Shape.has(id + "-open 1 <id> Ongoing", run("list").ok());
            Shape.has("Failed to list transactions: ListTransactions request sent to broker 1 failed with an unexpected exception.<...>",
                    run("list", "--transactional-id-pattern", "(").failed());
        }
    }

    @Test
    void describe() throws Exception {
        try (KafkaProducer<String, String> producer = producer(id, "transaction.timeout.ms", "12345")) {
            Shape.same(DESCRIBE + "1 %s <id> <epoch> Empty 12345 None None".formatted(id), run("describe", "--transactional-id", id).ok());
            producer.beginTransaction();
            send(producer, partition, "open");
            Shape.same(DESCRIBE + "1 %s <id> <epoch> Ongoing 12345 <ms> <ms> %s".formatted(id, partition),
                    run("describe", "--transactional-id", id).ok());
        }
        Shape.has("Failed to describe transaction state of transactional-id `%s-unknown`: <...> failed because the ID could not be found.<...>"
                .formatted(id), run("describe", "--transactional-id", id + "-unknown").failed());
    }

    @Test
    void describeProducers() throws Exception {
        String[] command = {"describe-producers", "--topic", partition.topic(), "--partition", "0"};
        Shape.same(PRODUCERS, run(command).ok());
        try (KafkaProducer<String, String> producer = producer(id)) {
            producer.beginTransaction();
            send(producer, partition, "a", "b", "c");
            Shape.same(PRODUCERS + "<id> <epoch> -1 2 <ms> 0", run(command).ok());
            producer.commitTransaction();
            Eventually.same(PRODUCERS + "<id> <epoch> <epoch> -1 <ms> None", () -> run(command));
        }
        Shape.same(PRODUCERS + "<id> <epoch> <epoch> -1 <ms> None", run("describe-producers", "--topic", partition.topic(), "--partition", "0", "--broker-id", "1").ok());
    }

    @Test
    void abort() throws Exception {
        try (KafkaProducer<String, String> producer = producer(id)) {
            Records.produce(partition.topic(), 0, "before");
            producer.beginTransaction();
            send(producer, partition, "hanging");
            Records.produce(partition.topic(), 0, "behind");
            committed(partition, "before");
            Shape.same("Could not find any open transactions starting at offset 7 on partition " + partition,
                    run("abort", "--topic", partition.topic(), "--partition", "0", "--start-offset", "7").failed());
            Shape.same("", run("abort", "--topic", partition.topic(), "--partition", "0", "--start-offset", "1").ok());
            committed(partition, "before", "behind");
        }
    }

    @Test
    void findHanging() throws Exception {
        try (KafkaProducer<String, String> producer = producer(id)) {
            producer.beginTransaction();
            send(producer, partition, "open");
            // A coordinator knows of it, so that it does not hang, however old it is.
            Shape.same(HANGING, run("find-hanging", "--broker-id", "1", "--topic", partition.topic(), "--max-transaction-timeout", "0").ok());
            Shape.same(HANGING, run("find-hanging", "--topic", partition.topic(), "--partition", "0", "--max-transaction-timeout", "0").ok());
            Shape.same("The `find-hanging` command requires either --topic or --broker-id to limit the scope of the search",
                    run("find-hanging").failed());
        }
    }

    @Test
    void forceTermination() throws Exception {
        try (KafkaProducer<String, String> producer = producer(id)) {
            producer.beginTransaction();
            send(producer, partition, "aborted");
            Shape.same("", run("forceTerminateTransaction", "--transactionalId", id).ok());
        }
        Records.produce(partition.topic(), 0, "behind");
        committed(partition, "behind");
    }

    private static Tool.Outcome run(String... args) throws InterruptedException {
        return Commands.run(TransactionsCommand::main, args);
    }
}
