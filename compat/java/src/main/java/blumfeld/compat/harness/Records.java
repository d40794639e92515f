package blumfeld.compat.harness;

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Topics and records that a case begins with, and reading them back. */
public final class Records {
    private Records() {}

    public static Admin admin() {
        return Admin.create(Broker.properties());
    }

    public static KafkaProducer<String, String> producer(Object... properties) {
        return new KafkaProducer<>(Broker.properties(properties), new StringSerializer(), new StringSerializer());
    }

    public static KafkaConsumer<String, String> consumer(Object... properties) {
        // What is given wins over what stands before it.
        Object[] all = Varargs.prepend(properties, "auto.offset.reset", "earliest", "enable.auto.commit", "false");
        return new KafkaConsumer<>(Broker.properties(all), new StringDeserializer(), new StringDeserializer());
    }

    /** Creates a topic and answers its name. */
    public static String topic(String stem, int partitions) throws Exception {
        String name = Broker.fresh(stem);
        try (Admin admin = admin()) {
            admin.createTopics(List.of(new NewTopic(name, partitions, (short) 1))).all().get();
            // The controller has answered; a broker that does not know the topic yet would refuse what comes next.
            Await.until(() -> isLed(admin, name, partitions));
        }
        return name;
    }

    private static boolean isLed(Admin admin, String topic, int partitions) throws Exception {
        Map<TopicPartition, OffsetSpec> ends = new HashMap<>();
        for (int partition = 0; partition < partitions; partition++) {
            ends.put(new TopicPartition(topic, partition), OffsetSpec.latest());
        }
        try {
            admin.listOffsets(ends).all().get();
            return true;
        } catch (ExecutionException e) {
            if (e.getCause() instanceof RetriableException) {
                return false;
            }
            throw e;
        }
    }

    /** Writes values to a partition, one batch each. */
    public static void produce(String topic, int partition, String... values) throws Exception {
        try (KafkaProducer<String, String> producer = producer()) {
            for (String value : values) {
                producer.send(new ProducerRecord<>(topic, partition, null, value)).get();
            }
        }
    }

    /** Writes values to a partition with these timestamps, in milliseconds. */
    public static void produceAt(String topic, int partition, Map<Long, String> values) throws Exception {
        try (KafkaProducer<String, String> producer = producer()) {
            for (Map.Entry<Long, String> value : values.entrySet()) {
                producer.send(new ProducerRecord<>(topic, partition, value.getKey(), null, value.getValue())).get();
            }
        }
    }

    /** Reads this many records of a partition from its beginning. */
    public static List<ConsumerRecord<String, String>> read(String topic, int partition, int count) {
        try (KafkaConsumer<String, String> consumer = consumer()) {
            TopicPartition from = new TopicPartition(topic, partition);
            consumer.assign(List.of(from));
            consumer.seekToBeginning(List.of(from));
            return poll(consumer, count);
        }
    }

    /** Polls until this many records are there. */
    public static List<ConsumerRecord<String, String>> poll(KafkaConsumer<String, String> consumer, int count) {
        List<ConsumerRecord<String, String>> records = new ArrayList<>();
        while (records.size() < count) {
            consumer.poll(Duration.ofMillis(200)).forEach(records::add);
        }
        return records;
    }

    public static List<String> values(List<ConsumerRecord<String, String>> records) {
        return records.stream().map(ConsumerRecord::value).toList();
    }
}
