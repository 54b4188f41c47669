import com.fasterxml.jackson.databind.ObjectMapper;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.StringDeserializer;

/** Prints the latest revision of each journey, one JSON object a line, and ends at the end of the topic. */
public class Journeys {
  private static final String TOPIC = "journeys.v1";
  private static final ObjectMapper JSON = new ObjectMapper();
  private static final HttpClient HTTP = HttpClient.newHttpClient();
  private static final Map<Integer, Schema> SCHEMAS = new HashMap<>();

  public static void main(String[] arguments) throws Exception {
    Map<String, Object> settings = Map.of(
        "bootstrap.servers", System.getenv("KAFKA_BOOTSTRAP_SERVERS"),
        "isolation.level", "read_committed",
        "enable.auto.commit", false,
        "auto.offset.reset", "earliest");
    Map<String, GenericRecord> latest = new LinkedHashMap<>();
    try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new ByteArrayDeserializer())) {
      List<TopicPartition> partitions =
          consumer.partitionsFor(TOPIC).stream().map(each -> new TopicPartition(TOPIC, each.partition())).toList();
      consumer.assign(partitions);
      consumer.seekToBeginning(partitions);
      Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
      while (partitions.stream().anyMatch(each -> consumer.position(each) < ends.get(each))) {
        for (var record : consumer.poll(Duration.ofSeconds(1))) {
          if (record.value() == null) {
            latest.remove(record.key()); // the journey does not exist any more
            continue;
          }
          // Within a partition revisions of a journey ascend: the last record of a key is the latest revision.
          latest.put(record.key(), decode(record.value()));
        }
      }
    }
    for (GenericRecord journey : latest.values()) {
      Map<String, Object> printed = new LinkedHashMap<>();
      for (String name : List.of("journey_id", "revision", "customer", "touchpoints")) {
        Object value = journey.get(name);
        printed.put(name, value instanceof CharSequence ? value.toString() : value);
      }
      System.out.println(JSON.writeValueAsString(printed));
    }
  }

  private static GenericRecord decode(byte[] value) throws Exception {
    Schema schema = schemaOf(ByteBuffer.wrap(value).getInt(1));
    var decoder = DecoderFactory.get().binaryDecoder(value, 5, value.length - 5, null);
    return new GenericDatumReader<GenericRecord>(schema).read(null, decoder);
  }

  /** Returns the writer's schema of a record: its id stands in bytes 1 to 4 of the value. */
  private static Schema schemaOf(int id) throws Exception {
    if (!SCHEMAS.containsKey(id)) {
      var address = URI.create(System.getenv("SCHEMA_REGISTRY_URL") + "/schemas/ids/" + id);
      var answer = HTTP.send(HttpRequest.newBuilder(address).build(), HttpResponse.BodyHandlers.ofString());
      SCHEMAS.put(id, new Schema.Parser().parse(JSON.readTree(answer.body()).get("schema").asText()));
    }
    return SCHEMAS.get(id);
  }
}
