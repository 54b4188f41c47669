import java.net.URI;
import java.sql.DriverManager;
import java.time.Duration;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.AggregateFunction;
import org.apache.flink.api.common.serialization.AbstractDeserializationSchema;
import org.apache.flink.api.common.serialization.SerializationSchema;
import org.apache.flink.configuration.*;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.jdbc.JdbcConnectionOptions;
import org.apache.flink.connector.jdbc.JdbcExecutionOptions;
import org.apache.flink.connector.jdbc.core.datastream.sink.JdbcSink;
import org.apache.flink.connector.kafka.sink.*;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.runtime.util.EnvironmentInformation;
import org.apache.flink.streaming.api.datastream.SingleOutputStreamOperator;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.windowing.assigners.EventTimeSessionWindows;

/**
 * Writes a session when the watermark closes it, and again for each late event within the allowed lateness.
 * SINK=kafka: a topic, exactly once. SINK=pg: a table, at least once, which upserts make the same.
 * State on the heap, with a checkpoint to disk each second.
 */
public class SessionsFlink {
    static class Decode extends AbstractDeserializationSchema<Touch> {
        Decode() { super(Touch.class); }
        @Override public Touch deserialize(byte[] b) { return Touch.decode(b); }
    }

    static class Agg implements AggregateFunction<Touch, Session, Session> {
        @Override public Session createAccumulator() { return new Session(); }
        @Override public Session add(Touch t, Session s) { return s.add(t); }
        @Override public Session getResult(Session s) { return s; }
        @Override public Session merge(Session x, Session y) { return x.merge(y); }
    }

    static class Key implements SerializationSchema<Session> {
        @Override public byte[] serialize(Session s) { return s.customer.getBytes(); }
    }

    static class Json implements SerializationSchema<Session> {
        @Override public byte[] serialize(Session s) { return s.json(); }
    }

    public static void main(String[] a) throws Exception {
        String app = System.getenv("APP"), brokers = System.getenv("BOOTSTRAP");
        Configuration conf = new Configuration();
        conf.set(StateBackendOptions.STATE_BACKEND, "hashmap");
        conf.set(CheckpointingOptions.CHECKPOINT_STORAGE, "filesystem");
        conf.set(CheckpointingOptions.CHECKPOINTS_DIRECTORY, "file://" + System.getenv("WORK"));
        conf.set(CheckpointingOptions.CHECKPOINTING_INTERVAL, Duration.ofSeconds(1));
        conf.set(RestartStrategyOptions.RESTART_STRATEGY, "none");
        StreamExecutionEnvironment env = StreamExecutionEnvironment.createLocalEnvironment(1, conf);

        KafkaSource<Touch> source = KafkaSource.<Touch>builder().setBootstrapServers(brokers).setTopics(System.getenv("TOPIC"))
            .setGroupId(app).setStartingOffsets(OffsetsInitializer.earliest()).setBounded(OffsetsInitializer.latest())
            .setValueOnlyDeserializer(new Decode()).build();
        WatermarkStrategy<Touch> time = WatermarkStrategy.<Touch>forBoundedOutOfOrderness(Duration.ofMinutes(1)).withTimestampAssigner((t, x) -> t.at);
        SingleOutputStreamOperator<Session> sessions = env.fromSource(source, time, "touchpoints")
            .keyBy(t -> t.customer)
            .window(EventTimeSessionWindows.withGap(Duration.ofMinutes(30)))
            .allowedLateness(Duration.ofMinutes(20))
            .aggregate(new Agg());
        if (System.getenv("SINK").equals("kafka")) toTopic(sessions, brokers, app); else toTable(sessions);
        env.execute("sessions");   // returns after the last checkpoint: flushed and committed
        Bench.report("Flink " + EnvironmentInformation.getVersion());
        System.exit(0);
    }

    static void toTopic(SingleOutputStreamOperator<Session> sessions, String brokers, String app) {
        sessions.sinkTo(KafkaSink.<Session>builder().setBootstrapServers(brokers)
            .setRecordSerializer(KafkaRecordSerializationSchema.<Session>builder().setTopic(System.getenv("OUT"))
                .setKeySerializationSchema(new Key()).setValueSerializationSchema(new Json()).build())
            .setDeliveryGuarantee(DeliveryGuarantee.EXACTLY_ONCE)
            .setTransactionalIdPrefix(app).setProperty("transaction.timeout.ms", "60000").build());
    }

    /** PG is postgresql://USER:PASSWORD@HOST:PORT/NAME, OUT the table, which is made here. */
    static void toTable(SingleOutputStreamOperator<Session> sessions) throws Exception {
        URI pg = URI.create(System.getenv("PG"));
        String[] who = pg.getUserInfo().split(":", 2);
        String url = "jdbc:postgresql://" + pg.getHost() + ":" + pg.getPort() + pg.getPath() + "?reWriteBatchedInserts=false";
        String table = System.getenv("OUT");
        try (var c = DriverManager.getConnection(url, who[0], who[1]); var s = c.createStatement()) {
            s.execute("create table " + table + " (customer text, first bigint, count bigint, last bigint, web bigint, email bigint, "
                + "call_centre bigint, branch bigint, score_sum double precision, scores bigint, last_kind text, primary key (customer, first))");
        }
        sessions.sinkTo(JdbcSink.<Session>builder()
            .withQueryStatement("insert into " + table + " values (?,?,?,?,?,?,?,?,?,?,?) on conflict (customer, first) do update set "
                + "count=excluded.count, last=excluded.last, web=excluded.web, email=excluded.email, call_centre=excluded.call_centre, "
                + "branch=excluded.branch, score_sum=excluded.score_sum, scores=excluded.scores, last_kind=excluded.last_kind",
                (q, s) -> {
                    q.setString(1, s.customer); q.setLong(2, s.first); q.setLong(3, s.count); q.setLong(4, s.last);
                    q.setLong(5, s.web); q.setLong(6, s.email); q.setLong(7, s.call); q.setLong(8, s.branch);
                    q.setDouble(9, s.scoreSum); q.setLong(10, s.scores); q.setString(11, s.lastKind);
                })
            .withExecutionOptions(JdbcExecutionOptions.builder().withBatchSize(1000).withBatchIntervalMs(200).build())
            .buildAtLeastOnce(new JdbcConnectionOptions.JdbcConnectionOptionsBuilder()
                .withUrl(url).withUsername(who[0]).withPassword(who[1]).withDriverName("org.postgresql.Driver").build()));
    }
}
