import java.time.Duration;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.AppInfoParser;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.*;
import org.apache.kafka.streams.kstream.*;
import org.apache.kafka.streams.state.SessionStore;

/** Exactly once, RocksDB with its changelog topic, each update of a session that the cache lets through. */
public class SessionsKStreams {
    public static void main(String[] a) throws Exception {
        Properties p = new Properties();
        p.put("application.id", System.getenv("APP"));
        p.put("bootstrap.servers", System.getenv("BOOTSTRAP"));
        p.put("processing.guarantee", "exactly_once_v2");
        p.put("num.stream.threads", "1");
        p.put("auto.offset.reset", "earliest");
        p.put("state.dir", System.getenv("WORK"));

        Serde<Touch> touch = Serdes.serdeFrom((t, v) -> { throw new UnsupportedOperationException(); }, (t, b) -> Touch.decode(b));
        Serde<Session> session = Serdes.serdeFrom((t, s) -> s == null ? null : s.bytes(), (t, b) -> b == null ? null : Session.of(b));
        Duration gap = Duration.ofMinutes(30), grace = Duration.ofMinutes(20);

        Materialized<String, Session, SessionStore<Bytes, byte[]>> store = Materialized.as("sessions");
        StreamsBuilder b = new StreamsBuilder();
        b.stream(System.getenv("TOPIC"), Consumed.with(Serdes.String(), touch)
                .withTimestampExtractor((r, previous) -> ((Touch) r.value()).at))
            .groupByKey(Grouped.with(Serdes.String(), touch))   // the record's key is the customer: no repartition topic
            .windowedBy(SessionWindows.ofInactivityGapAndGrace(gap, grace))
            .aggregate(Session::new, (k, t, s) -> s.add(t), (k, x, y) -> x.merge(y),
                store.withKeySerde(Serdes.String()).withValueSerde(session))
            .toStream()
            .filter((k, s) -> s != null)                          // the retraction of a merged-away session
            .map((k, s) -> KeyValue.pair(k.key(), s.json()))
            .to(System.getenv("OUT"), Produced.with(Serdes.String(), Serdes.ByteArray()));

        KafkaStreams ks = new KafkaStreams(b.build(), p);
        ks.setUncaughtExceptionHandler(e -> { e.printStackTrace(); Runtime.getRuntime().halt(2); return null; });
        ks.start();
        Bench.ALL_SEEN.await();
        ks.close();                                               // processes the record in hand, flushes, commits
        Bench.report("Kafka Streams " + AppInfoParser.getVersion());
        System.exit(0);
    }
}
