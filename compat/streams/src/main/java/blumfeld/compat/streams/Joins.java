package blumfeld.compat.streams;

import static blumfeld.compat.streams.Topologies.IN;
import static blumfeld.compat.streams.Topologies.OUT;

import java.time.Duration;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.GlobalKTable;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.StreamJoined;

/** Every kind of join: of streams, of a stream with a table, of a stream with a global table, of tables. */
final class Joins {
    private static final JoinWindows WINDOW =
            JoinWindows.ofTimeDifferenceAndGrace(Duration.ofSeconds(10), Duration.ofSeconds(5));

    private Joins() {}

    static void build(StreamsBuilder builder, String application) {
        KStream<String, String> orders = builder.stream(application + "-orders", IN);
        KStream<String, String> payments = builder.stream(application + "-payments", IN);
        KTable<String, String> customers = builder.table(application + "-customers", IN);
        KTable<String, String> cities = builder.table(application + "-cities", IN);
        GlobalKTable<String, String> currencies = builder.globalTable(application + "-currencies", IN);

        orders.join(payments, Joins::both, WINDOW, joined("inner")).to(application + "-inner", OUT);
        orders.leftJoin(payments, Joins::both, WINDOW, joined("left")).to(application + "-left", OUT);
        orders.outerJoin(payments, Joins::both, WINDOW, joined("outer")).to(application + "-outer", OUT);
        orders.leftJoin(customers, Joins::both).to(application + "-of-customer", OUT);
        // An order's value ends in the name of its currency.
        orders.join(currencies, (key, order) -> order.substring(order.lastIndexOf('-') + 1), Joins::both)
                .to(application + "-in-currency", OUT);
        // A customer's value is the name of a city: a join by foreign key, with topics of its own both ways.
        customers.join(cities, city -> city, Joins::both).toStream().to(application + "-in-city", OUT);
    }

    private static String both(String left, String right) {
        return left + "+" + right;
    }

    private static StreamJoined<String, String, String> joined(String name) {
        return StreamJoined.with(Serdes.String(), Serdes.String(), Serdes.String())
                .withName(name)
                .withStoreName(name);
    }
}
