package blumfeld.compat.tools;

import static blumfeld.compat.tools.Commands.consume;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import blumfeld.compat.harness.Await;
import blumfeld.compat.harness.Broker;
import blumfeld.compat.harness.Records;
import blumfeld.compat.harness.Shape;
import blumfeld.compat.harness.Transactions;
import blumfeld.compat.harness.Varargs;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.tools.ConsoleProducer;
import org.apache.kafka.tools.consumer.ConsoleConsumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.ResourceLock;

/** kafka-console-producer and kafka-console-consumer, one after the other: the consumer counts in a static field. */
@ResourceLock("ConsoleConsumer")
class ConsoleClients {
    private final String topic = Broker.fresh("console");

    @Test
    void lines() throws Exception {
        produce("one\ntwo\n\nfour\n");
        Tool.Outcome read = consume("--topic", topic, "--from-beginning", "--max-messages", "4");
        assertEquals("one\ntwo\n\nfour\n", read.ok());
        assertTrue(read.err().endsWith("Processed a total of 4 messages\n"), read::err);
    }

    @Test
    void manyLines() throws Exception {
        String lines = IntStream.range(0, 20_000).mapToObj(n -> "line " + n + "\n").collect(Collectors.joining());
        produce(lines);
        assertEquals(lines, consume("--topic", topic, "--from-beginning", "--max-messages", "20000").ok());
    }

    @Test
    void keysHeadersAndOrigin() throws Exception {
        produce("h1:x,h2:y\tk1:v1\nh1:z\tk2:v2\n", "--reader-property", "parse.headers=true",
                "--reader-property", "parse.key=true", "--reader-property", "key.separator=:");
        produce("NULL|NULL\n", "--reader-property", "parse.key=true", "--reader-property", "key.separator=|",
                "--reader-property", "null.marker=NULL");
        Shape.same("""
                CreateTime:<ms> Partition:0 Offset:0 Delivery:NOT_PRESENT Epoch:NOT_PRESENT h1:x,h2:y k1 v1
                CreateTime:<ms> Partition:0 Offset:1 Delivery:NOT_PRESENT Epoch:NOT_PRESENT h1:z k2 v2
                CreateTime:<ms> Partition:0 Offset:2 Delivery:NOT_PRESENT Epoch:NOT_PRESENT NO_HEADERS null null
                """, consume("--topic", topic, "--from-beginning", "--max-messages", "3",
                        "--formatter-property", "print.timestamp=true", "--formatter-property", "print.partition=true",
                        "--formatter-property", "print.offset=true", "--formatter-property", "print.delivery=true",
                        "--formatter-property", "print.epoch=true", "--formatter-property", "print.headers=true",
                        "--formatter-property", "print.key=true").ok());
    }

    @Test
    void compression() throws Exception {
        for (String codec : new String[] {"none", "gzip", "snappy", "lz4", "zstd"}) {
            produce(codec + " " + "x".repeat(500) + "\n", "--compression-codec", codec);
        }
        Shape.same("""
                none <value>
                gzip <value>
                snappy <value>
                lz4 <value>
                zstd <value>
                """, consume("--topic", topic, "--from-beginning", "--max-messages", "5").ok());
    }

    @Test
    void synchronousAndUnacknowledged() throws Exception {
        produce("sync\n", "--sync", "--request-required-acks", "1");
        produce("no acks\n", "--request-required-acks", "0");
        assertEquals("sync\nno acks\n", consume("--topic", topic, "--from-beginning", "--max-messages", "2").ok());
    }

    @Test
    void fromAnOffset() throws Exception {
        produce("0\n1\n2\n3\n");
        assertEquals("2\n3\n", consume("--topic", topic, "--partition", "0", "--offset", "2", "--max-messages", "2").ok());
        assertEquals("0\n", consume("--topic", topic, "--partition", "0", "--offset", "earliest", "--max-messages", "1",
                "--isolation-level", "read_committed").ok());
        assertEquals("", consume("--topic", topic, "--partition", "0", "--offset", "latest", "--timeout-ms", "500").ok());
    }

    @Test
    void nothingToConsume() throws Exception {
        Tool.Outcome empty = consume("--topic", Records.topic("empty", 1), "--from-beginning", "--timeout-ms", "1500");
        assertEquals("", empty.ok());
        Shape.has("Processed a total of 0 messages", empty.err());
    }

    @Test
    void invalidTopic() throws Exception {
        // The reason is logged, not printed, and the exit code is 0; but it ends long before its time is up.
        assertEquals("", consume("--topic", "a/b", "--timeout-ms", "600000").ok());
    }

    @Test
    void groupContinues() throws Exception {
        String group = Broker.fresh("console-group");
        produce("1\n2\n3\n");
        assertEquals("1\n2\n", consume("--topic", topic, "--group", group, "--from-beginning", "--max-messages", "2").ok());
        assertEquals("3\n", consume("--topic", topic, "--group", group, "--from-beginning", "--max-messages", "1").ok());
    }

    @Test
    void includedTopics() throws Exception {
        Records.produce(Records.topic("console", 1), 0, "elsewhere");
        String one = Records.topic("included", 1);
        Records.produce(one, 0, "included");
        assertEquals("included\n", consume("--include", one.substring(0, one.lastIndexOf('-')) + ".*", "--from-beginning",
                "--max-messages", "1").ok());
    }

    @Test
    void waitsForRecords() throws Exception {
        String live = Records.topic("live", 1);
        Tool consumer = Commands.start(ConsoleConsumer::main, "--topic", live, "--partition", "0", "--offset", "0");
        Records.produce(live, 0, "first");
        Await.until(() -> consumer.out().equals("first\n"));
        Records.produce(live, 0, "second");
        Await.until(() -> consumer.out().equals("first\nsecond\n"));
        Tool.Outcome ended = consumer.stop();
        Shape.has("Processed a total of 2 messages", ended.err());
        assertEquals(0, ended.code());
    }

    @Test
    void isolationLevels() throws Exception {
        TopicPartition partition = new TopicPartition(Records.topic("isolated", 1), 0);
        try (KafkaProducer<String, String> producer = Transactions.producer(Broker.fresh("isolated"))) {
            Transactions.abort(producer, partition, "aborted");
            Transactions.commit(producer, partition, "committed");
            Transactions.endsAt(4, partition);
            producer.beginTransaction();
            Transactions.send(producer, partition, "open");
            String[] all = {"--topic", partition.topic(), "--from-beginning", "--timeout-ms", "2000"};
            assertEquals("committed\n", consume(Varargs.prepend(all, "--isolation-level", "read_committed")).ok());
            assertEquals("aborted\ncommitted\nopen\n", consume(Varargs.prepend(all, "--isolation-level", "read_uncommitted")).ok());
        }
    }

    @Test
    void fromATime() throws Exception {
        String timed = Records.topic("timed", 1);
        Records.produceAt(timed, 0, Map.of(1_700_000_000_000L, "then"));
        Shape.same("CreateTime:1700000000000 then", consume("--topic", timed, "--from-beginning", "--max-messages", "1",
                "--formatter-property", "print.timestamp=true").ok());
    }

    private void produce(String lines, String... args) throws Exception {
        Tool.Outcome produced = Tool.feed(lines, ConsoleProducer::main, Commands.withAddress(Varargs.prepend(args, "--topic", topic)));
        assertEquals("", produced.ok());
        assertEquals("", produced.err());
    }
}
