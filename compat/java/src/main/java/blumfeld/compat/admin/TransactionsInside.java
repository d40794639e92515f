package blumfeld.compat.admin;

import static blumfeld.compat.harness.Failures.refused;
import static blumfeld.compat.harness.Transactions.commit;
import static blumfeld.compat.harness.Transactions.committed;
import static blumfeld.compat.harness.Transactions.producer;
import static blumfeld.compat.harness.Transactions.send;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import blumfeld.compat.harness.Await;
import blumfeld.compat.harness.Broker;
import blumfeld.compat.harness.Records;
import blumfeld.compat.harness.Transactions;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.AbortTransactionSpec;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.FenceProducersResult;
import org.apache.kafka.clients.admin.ListTransactionsOptions;
import org.apache.kafka.clients.admin.ProducerState;
import org.apache.kafka.clients.admin.TransactionDescription;
import org.apache.kafka.clients.admin.TransactionListing;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidRegularExpression;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.errors.TransactionalIdNotFoundException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.ResourceAccessMode;
import org.junit.jupiter.api.parallel.ResourceLock;

/** Admin: transactions as an administrator sees and ends them. */
@ResourceLock(value = Transactions.VERSION, mode = ResourceAccessMode.READ)
class TransactionsInside {
    private final Admin admin = Records.admin();
    private final String id = Broker.fresh("inside");
    private TopicPartition one;
    private TopicPartition two;

    @BeforeEach
    void createTopic() throws Exception {
        String topic = Records.topic("inside", 2);
        one = new TopicPartition(topic, 0);
        two = new TopicPartition(topic, 1);
    }

    @AfterEach
    void close() {
        admin.close();
    }

    @Test
    void describe() throws Exception {
        try (KafkaProducer<String, String> producer = producer(id, "transaction.timeout.ms", "54321")) {
            TransactionDescription empty = described(id);
            assertEquals(TransactionState.EMPTY, empty.state());
            assertEquals(1, empty.coordinatorId());
            assertEquals(54321, empty.transactionTimeoutMs());
            assertTrue(empty.transactionStartTimeMs().isEmpty());
            assertEquals(Set.of(), empty.topicPartitions());

            long before = System.currentTimeMillis();
            producer.beginTransaction();
            send(producer, one, "a");
            send(producer, two, "b");
            TransactionDescription open = described(id);
            assertEquals(TransactionState.ONGOING, open.state());
            assertEquals(empty.producerId(), open.producerId());
            assertEquals(Set.of(one, two), open.topicPartitions());
            long began = open.transactionStartTimeMs().getAsLong();
            assertTrue(before <= began && began <= System.currentTimeMillis(), open::toString);

            producer.commitTransaction();
            Await.untilPasses(() -> assertEquals(TransactionState.COMPLETE_COMMIT, described(id).state()));
            assertEquals(Set.of(), described(id).topicPartitions());
            // KIP-890: each transaction has an epoch of its own.
            assertEquals(open.producerEpoch() + 1, described(id).producerEpoch());
            producer.beginTransaction();
            send(producer, two, "c");
            producer.abortTransaction();
            Await.untilPasses(() -> assertEquals(TransactionState.COMPLETE_ABORT, described(id).state()));
        }
    }

    @Test
    void describeUnknown() {
        refused(TransactionalIdNotFoundException.class, admin.describeTransactions(List.of(id)).description(id));
    }

    @Test
    void list() throws Exception {
        try (KafkaProducer<String, String> idle = producer(id + "-idle");
                KafkaProducer<String, String> open = producer(id + "-open");
                KafkaProducer<String, String> done = producer(id + "-done")) {
            commit(done, one, "done");
            open.beginTransaction();
            send(open, one, "open");
            Await.untilPasses(() -> assertEquals(TransactionState.COMPLETE_COMMIT, described(id + "-done").state()));
            assertEquals(Set.of("-idle Empty", "-open Ongoing", "-done CompleteCommit"), listed(new ListTransactionsOptions()));
            assertEquals(Set.of("-open Ongoing"),
                    listed(new ListTransactionsOptions().filterStates(Set.of(TransactionState.ONGOING))));
            assertEquals(Set.of("-idle Empty", "-done CompleteCommit"), listed(
                    new ListTransactionsOptions().filterStates(Set.of(TransactionState.EMPTY, TransactionState.COMPLETE_COMMIT))));
            long producerId = described(id + "-open").producerId();
            assertEquals(Set.of("-open Ongoing"), listed(new ListTransactionsOptions().filterProducerIds(Set.of(producerId))));
            assertEquals(Set.of(), listed(new ListTransactionsOptions().filterProducerIds(Set.of(1_000_000_000_000L))));
            assertEquals(Set.of("-idle Empty", "-open Ongoing"),
                    listed(new ListTransactionsOptions().filterOnTransactionalIdPattern(id + "-(idle|open)")));
            // What has never begun has run for ever.
            assertEquals(Set.of("-idle Empty"), listed(new ListTransactionsOptions().filterOnDuration(3_600_000)));
            Await.untilPasses(() -> assertEquals(Set.of("-idle Empty", "-open Ongoing", "-done CompleteCommit"),
                    listed(new ListTransactionsOptions().filterOnDuration(1))));
            refused(InvalidRegularExpression.class,
                    admin.listTransactions(new ListTransactionsOptions().filterOnTransactionalIdPattern("(")).all());
        }
    }

    @Test
    void producers() throws Exception {
        try (KafkaProducer<String, String> producer = producer(id)) {
            producer.beginTransaction();
            send(producer, one, "a", "b");
            ProducerState open = only(one);
            assertEquals(described(id).producerId(), open.producerId());
            assertEquals(described(id).producerEpoch(), open.producerEpoch());
            assertEquals(0, open.currentTransactionStartOffset().getAsLong());
            assertEquals(1, open.lastSequence());
            assertTrue(open.coordinatorEpoch().isEmpty(), open::toString);
            producer.commitTransaction();
            Await.untilPasses(() -> assertTrue(only(one).currentTransactionStartOffset().isEmpty()));
            assertTrue(only(one).coordinatorEpoch().isPresent());
            assertEquals(-1, only(one).lastSequence());
        }
    }

    @Test
    void abort() throws Exception {
        try (KafkaProducer<String, String> producer = producer(id)) {
            producer.beginTransaction();
            send(producer, one, "hanging");
            Records.produce(one.topic(), 0, "behind");
            ProducerState open = admin.describeProducers(List.of(one)).partitionResult(one).get().activeProducers().stream()
                    .filter(state -> state.currentTransactionStartOffset().isPresent()).findFirst().orElseThrow();
            // The partition forgets it; the coordinator is not asked.
            admin.abortTransaction(new AbortTransactionSpec(one, open.producerId(), (short) open.producerEpoch(), 0)).all().get();
            committed(one, "behind");
            assertEquals(TransactionState.ONGOING, described(id).state());
        }
    }

    @Test
    void fence() throws Exception {
        try (KafkaProducer<String, String> producer = producer(id)) {
            producer.beginTransaction();
            send(producer, one, "aborted");
            TransactionDescription before = described(id);
            FenceProducersResult fenced = admin.fenceProducers(List.of(id));
            fenced.all().get();
            assertEquals(before.producerId(), fenced.producerId(id).get());
            assertEquals(described(id).producerEpoch(), fenced.epochId(id).get().intValue());
            assertThrows(ProducerFencedException.class, producer::commitTransaction);
        }
        Records.produce(one.topic(), 0, "behind");
        committed(one, "behind");
    }

    @Test
    void forceTermination() throws Exception {
        try (KafkaProducer<String, String> producer = producer(id)) {
            producer.beginTransaction();
            send(producer, one, "aborted");
            admin.forceTerminateTransaction(id).result().get();
            assertThrows(ProducerFencedException.class, producer::commitTransaction);
        }
        Records.produce(one.topic(), 0, "behind");
        committed(one, "behind");
    }

    private TransactionDescription described(String transactionalId) throws Exception {
        return admin.describeTransactions(List.of(transactionalId)).description(transactionalId).get();
    }

    /** This case's own, without the stem of their names. */
    private Set<String> listed(ListTransactionsOptions options) throws Exception {
        Collection<TransactionListing> all = admin.listTransactions(options).all().get();
        return all.stream()
                .filter(listing -> listing.transactionalId().startsWith(id))
                .map(listing -> listing.transactionalId().substring(id.length()) + " " + listing.state())
                .collect(Collectors.toCollection(TreeSet::new));
    }

    private ProducerState only(TopicPartition partition) throws Exception {
        List<ProducerState> states = admin.describeProducers(List.of(partition)).partitionResult(partition).get().activeProducers();
        assertEquals(1, states.size(), states::toString);
        return states.get(0);
    }
}
