package blumfeld.compat.tools;

import blumfeld.compat.harness.Broker;
import blumfeld.compat.harness.Varargs;
import blumfeld.compat.tools.Tool.Main;
import blumfeld.compat.tools.Tool.Outcome;
import kafka.admin.ConfigCommand;
import org.apache.kafka.tools.TopicCommand;
import org.apache.kafka.tools.consumer.ConsoleConsumer;
import org.apache.kafka.tools.consumer.group.ConsumerGroupCommand;

/** Runs of tools with the bootstrap address put in front of their arguments. */
final class Commands {
    private Commands() {}

    static Outcome run(Main main, String... args) throws InterruptedException {
        return Tool.run(main, withAddress(args));
    }

    static Tool start(Main main, String... args) {
        return Tool.start(main, withAddress(args));
    }

    static Outcome topics(String... args) throws InterruptedException {
        return run(TopicCommand::main, args);
    }

    static Outcome configs(String... args) throws InterruptedException {
        return run(ConfigCommand::main, args);
    }

    static Outcome groups(String... args) throws InterruptedException {
        return run(ConsumerGroupCommand::main, args);
    }

    static Outcome consume(String... args) throws InterruptedException {
        return run(ConsoleConsumer::main, args);
    }

    static String[] withAddress(String... args) {
        return Varargs.prepend(args, "--bootstrap-server", Broker.address());
    }
}
