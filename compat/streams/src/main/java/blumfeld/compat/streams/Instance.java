package blumfeld.compat.streams;

import java.util.Properties;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.processor.StandbyUpdateListener;
import org.apache.kafka.streams.processor.StateRestoreListener;
import org.apache.kafka.streams.processor.TaskId;

/**
 * A KafkaStreams that says what happens to it:
 *
 * <pre>
 * NAME state RUNNING              or another of KafkaStreams.State
 * NAME threw EXCEPTION            a thread has died of it, another takes its place
 * NAME restored PARTITION N       of a changelog, N records
 * NAME standby PARTITION OFFSET   a standby task has read that changelog up to there
 * NAME stopped
 * </pre>
 */
final class Instance {
    private final String name;
    private final KafkaStreams streams;

    Instance(String name, Topology topology, Properties config) {
        this.name = name;
        streams = new KafkaStreams(topology, config);
        streams.setStateListener((state, before) -> say("state " + state));
        streams.setUncaughtExceptionHandler(exception -> {
            say("threw " + exception.toString().replace('\n', ' '));
            return StreamThreadExceptionResponse.REPLACE_THREAD;
        });
        streams.setGlobalStateRestoreListener(new Restored());
        streams.setStandbyUpdateListener(new Standby());
    }

    void start() {
        streams.start();
    }

    void stop() {
        streams.close(CloseOptions.groupMembershipOperation(CloseOptions.GroupMembershipOperation.LEAVE_GROUP));
        say("stopped");
    }

    private void say(String event) {
        Host.say(name + " " + event);
    }

    private final class Restored implements StateRestoreListener {
        @Override
        public void onRestoreStart(TopicPartition partition, String store, long from, long end) {}

        @Override
        public void onBatchRestored(TopicPartition partition, String store, long offset, long count) {}

        @Override
        public void onRestoreEnd(TopicPartition partition, String store, long count) {
            say("restored " + partition + " " + count);
        }
    }

    private final class Standby implements StandbyUpdateListener {
        @Override
        public void onUpdateStart(TopicPartition partition, String store, long from) {}

        @Override
        public void onBatchLoaded(
                TopicPartition partition, String store, TaskId task, long offset, long count, long end) {
            say("standby " + partition + " " + offset);
        }

        @Override
        public void onUpdateSuspended(
                TopicPartition partition, String store, long offset, long end, SuspendReason reason) {}
    }
}
