import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DecoderFactory;

/** One decoded touchpoint: only what the session job needs. A POJO, so that Flink serialises it cheaply. */
public class Touch {
    public String customer;
    public String kind;
    public long at;
    public int channel;
    public boolean scored;
    public double score;

    private static final Schema SCHEMA;
    /** Ordinal of a channel in the schema → its place in Session. */
    private static final int[] CHANNELS;
    static {
        try {
            SCHEMA = new Schema.Parser().parse(Files.readString(Path.of(System.getenv("PEERS_SCHEMA"))));
        } catch (IOException e) {
            throw new ExceptionInInitializerError(e);
        }
        var symbols = SCHEMA.getField("channel").schema().getEnumSymbols();
        CHANNELS = symbols.stream().mapToInt(name -> Session.CHANNELS.indexOf(name)).toArray();
    }
    private static final GenericDatumReader<GenericRecord> READER = new GenericDatumReader<>(SCHEMA);
    private static final ThreadLocal<BinaryDecoder> DECODER = new ThreadLocal<>();
    private static final ThreadLocal<GenericRecord> RECORD = new ThreadLocal<>();

    /** 5 header bytes (Confluent wire format), then the Avro body, by what a user of the generic Avro API writes. */
    public static Touch decode(byte[] b) {
        GenericRecord r;
        try {
            BinaryDecoder d = DecoderFactory.get().binaryDecoder(b, 5, b.length - 5, DECODER.get());
            DECODER.set(d);
            Bench.seen();
            r = READER.read(RECORD.get(), d);
            RECORD.set(r);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Touch t = new Touch();
        t.customer = String.valueOf(r.get("customer_id"));
        t.kind = r.get("kind").toString();
        t.at = (Long) r.get("occurred_at");
        GenericData.EnumSymbol c = (GenericData.EnumSymbol) r.get("channel");
        t.channel = CHANNELS[c.getSchema().getEnumOrdinal(c.toString())];
        GenericRecord f = (GenericRecord) r.get("feedback");
        if (f != null) { t.scored = true; t.score = (Double) f.get("score"); }
        return t;
    }
}
