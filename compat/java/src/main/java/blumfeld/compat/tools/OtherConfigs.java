package blumfeld.compat.tools;

import static blumfeld.compat.tools.Commands.configs;
import static org.junit.jupiter.api.Assertions.assertEquals;

import blumfeld.compat.harness.Broker;
import blumfeld.compat.harness.Shape;
import org.apache.kafka.tools.ClientMetricsCommand;
import org.junit.jupiter.api.Test;

/** kafka-configs, of everything but topics, and kafka-client-metrics. */
class OtherConfigs {
    @Test
    void broker() throws Exception {
        // A key that no topic's configuration falls back to.
        assertEquals("Completed updating config for broker 1.\n",
                configs("--alter", "--broker", "1", "--add-config", "max.connections.per.ip=12345").ok());
        Eventually.has("max.connections.per.ip=12345 sensitive=false synonyms={DYNAMIC_BROKER_CONFIG:max.connections.per.ip=12345, DEFAULT_CONFIG:max.connections.per.ip=2147483647}",
                () -> configs("--describe", "--entity-type", "brokers", "--entity-name", "1"));
        configs("--alter", "--broker", "1", "--delete-config", "max.connections.per.ip").ok();
        Eventually.has("""
                max.connections.per.ip=2147483647 sensitive=false synonyms={DEFAULT_CONFIG:max.connections.per.ip=2147483647}
                broker.id=1 sensitive=false synonyms={STATIC_BROKER_CONFIG:broker.id=1, DEFAULT_CONFIG:broker.id=-1}
                group.initial.rebalance.delay.ms=0 sensitive=false synonyms={STATIC_BROKER_CONFIG:group.initial.rebalance.delay.ms=0, DEFAULT_CONFIG:group.initial.rebalance.delay.ms=3000}
                log.retention.ms=null sensitive=false synonyms={}
                log.retention.hours=168 sensitive=false synonyms={DEFAULT_CONFIG:log.retention.hours=168}
                """, () -> configs("--describe", "--broker", "1", "--all"));
    }

    @Test
    void clusterDefault() throws Exception {
        assertEquals("Completed updating default config for brokers in the cluster.\n",
                configs("--alter", "--entity-type", "brokers", "--entity-default", "--add-config", "max.connections=54321").ok());
        Eventually.has("""
                Default configs for brokers in the cluster are:
                max.connections=54321 sensitive=false synonyms={DYNAMIC_DEFAULT_BROKER_CONFIG:max.connections=54321}
                """, () -> configs("--describe", "--entity-type", "brokers", "--entity-default"));
        configs("--alter", "--entity-type", "brokers", "--entity-default", "--delete-config", "max.connections").ok();
        Eventually.same("""
                Default configs for brokers in the cluster are:
                min.insync.replicas=1 sensitive=false synonyms={DYNAMIC_DEFAULT_BROKER_CONFIG:min.insync.replicas=1}
                """, () -> configs("--describe", "--entity-type", "brokers", "--entity-default"));
    }

    @Test
    void readOnlyBrokerKeys() throws Exception {
        Shape.has("Caused by: org.apache.kafka.common.errors.InvalidRequestException: Cannot update these configs dynamically: [log.dirs]",
                configs("--alter", "--broker", "1", "--add-config", "log.dirs=/x").failed());
        Shape.has("Caused by: org.apache.kafka.common.errors.InvalidRequestException: Cannot update these configs dynamically: [node.id]",
                configs("--alter", "--broker", "1", "--add-config", "node.id=5").failed());
    }

    @Test
    void unknownBroker() throws Exception {
        Eventually.prints("The broker '77' doesn't exist and doesn't have dynamic config.\n", () -> configs("--describe", "--broker", "77"));
    }

    @Test
    void brokerLoggers() throws Exception {
        Eventually.has("""
                Dynamic configs for broker-logger 1 are:
                root=<level> sensitive=false synonyms={}
                """, () -> configs("--describe", "--broker-logger", "1"));
        Shape.same("Invalid broker logger(s): no.such.logger",
                configs("--alter", "--broker-logger", "1", "--add-config", "no.such.logger=DEBUG").failed());
    }

    @Test
    void group() throws Exception {
        String group = Broker.fresh("group");
        Eventually.prints("The group '" + group + "' doesn't exist and doesn't have dynamic config.\n",
                () -> configs("--describe", "--group", group));
        assertEquals("Completed updating config for group " + group + ".\n",
                configs("--alter", "--group", group, "--add-config", "consumer.session.timeout.ms=50000").ok());
        Eventually.same("""
                Dynamic configs for group %s are:
                consumer.session.timeout.ms=50000 sensitive=false synonyms={DYNAMIC_GROUP_CONFIG:consumer.session.timeout.ms=50000, DEFAULT_CONFIG:group.consumer.session.timeout.ms=45000}
                """.formatted(group), () -> configs("--describe", "--group", group));
        configs("--alter", "--group", group, "--delete-config", "consumer.session.timeout.ms").ok();
    }

    @Test
    void clientMetrics() throws Exception {
        String name = Broker.fresh("metrics");
        assertEquals("Completed updating config for client-metric " + name + ".\n",
                configs("--alter", "--client-metrics", name, "--add-config", "interval.ms=1000,metrics=,match=[client_id=x]").ok());
        Eventually.same("""
                Dynamic configs for client-metric %s are:
                interval.ms=1000 sensitive=false synonyms={DYNAMIC_CLIENT_METRICS_CONFIG:interval.ms=1000}
                match=client_id=x sensitive=false synonyms={DYNAMIC_CLIENT_METRICS_CONFIG:match=client_id=x}
                metrics= sensitive=false synonyms={DYNAMIC_CLIENT_METRICS_CONFIG:metrics=}
                """.formatted(name), () -> configs("--describe", "--client-metrics", name));
        configs("--alter", "--client-metrics", name, "--delete-config", "interval.ms,metrics,match").ok();
        Eventually.prints("The client-metric '" + name + "' doesn't exist and doesn't have dynamic config.\n",
                () -> configs("--describe", "--client-metrics", name));
    }

    @Test
    void clientMetricsTool() throws Exception {
        String name = Broker.fresh("metrics");
        Eventually.prints("The client metric resource " + name + " doesn't exist and doesn't have dynamic config.\n",
                () -> metrics("--describe", "--name", name));
        assertEquals("Altered client metrics config for " + name + ".\n",
                metrics("--alter", "--name", name, "--metrics", "org.apache.kafka.producer.", "--interval", "5000").ok());
        Eventually.same("""
                Client metrics configs for %s are:
                interval.ms=5000
                match=
                metrics=org.apache.kafka.producer.
                """.formatted(name), () -> metrics("--describe", "--name", name));
        Eventually.has(name, () -> metrics("--list"));
        assertEquals("Deleted client metrics config for " + name + ".\n", metrics("--delete", "--name", name).ok());
    }

    @Test
    void noQuotasNoCredentials() throws Exception {
        Eventually.prints("", () -> configs("--describe", "--entity-type", "clients"));
        Eventually.prints("", () -> configs("--describe", "--entity-type", "users"));
        Eventually.prints("", () -> configs("--describe", "--entity-type", "users", "--entity-name", Broker.fresh("user")));
        Eventually.prints("", () -> configs("--describe", "--entity-type", "ips"));
        Eventually.prints("", () -> configs("--describe", "--client-defaults"));
    }

    private static Tool.Outcome metrics(String... args) throws Exception {
        return Commands.run(ClientMetricsCommand::main, args);
    }
}
