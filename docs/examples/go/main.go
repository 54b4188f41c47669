// Command journeys prints the latest revision of each journey, one JSON object a line, and ends at the end of the topic.
package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"

	"github.com/hamba/avro/v2"
	"github.com/twmb/franz-go/pkg/kgo"
)

const topic = "journeys.v1"

// Journey has the fields that are printed; the decoder skips the others.
type Journey struct {
	JourneyID   string `avro:"journey_id" json:"journey_id"`
	Revision    int    `avro:"revision" json:"revision"`
	Customer    string `avro:"customer" json:"customer"`
	Touchpoints int    `avro:"touchpoints" json:"touchpoints"`
}

var schemas = map[uint32]avro.Schema{}

// schemaOf returns the writer's schema of a record: its id stands in bytes 1 to 4 of the value.
func schemaOf(id uint32) (avro.Schema, error) {
	if known, ok := schemas[id]; ok {
		return known, nil
	}
	answer, err := http.Get(fmt.Sprintf("%s/schemas/ids/%d", os.Getenv("SCHEMA_REGISTRY_URL"), id))
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	var body struct{ Schema string }
	if err := json.NewDecoder(answer.Body).Decode(&body); err != nil {
		return nil, err
	}
	parsed, err := avro.Parse(body.Schema)
	schemas[id] = parsed
	return parsed, err
}

func main() {
	ctx := context.Background()
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(os.Getenv("KAFKA_BOOTSTRAP_SERVERS"), ",")...),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(),
	)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	latest := map[string]Journey{}
	next := map[int32]int64{}
	ends := map[int32]int64{}
	for len(ends) == 0 || !atEnd(next, ends) {
		fetches := client.PollFetches(ctx)
		for _, failure := range fetches.Errors() {
			log.Fatal(failure.Err)
		}
		fetches.EachPartition(func(partition kgo.FetchTopicPartition) {
			ends[partition.Partition] = partition.LastStableOffset
			for _, record := range partition.Records {
				next[record.Partition] = record.Offset + 1
				if record.Attrs.IsControl() {
					continue
				}
				if record.Value == nil {
					delete(latest, string(record.Key)) // the journey does not exist any more
					continue
				}
				schema, err := schemaOf(binary.BigEndian.Uint32(record.Value[1:5]))
				if err != nil {
					log.Fatal(err)
				}
				var journey Journey
				if err := avro.Unmarshal(schema, record.Value[5:], &journey); err != nil {
					log.Fatal(err)
				}
				// Within a partition revisions of a journey ascend: the last record of a key is the latest revision.
				latest[string(record.Key)] = journey
			}
		})
	}
	out := json.NewEncoder(os.Stdout)
	for _, journey := range latest {
		if err := out.Encode(journey); err != nil {
			log.Fatal(err)
		}
	}
}

// atEnd tells whether each partition that has records was read up to its last stable offset.
func atEnd(next, ends map[int32]int64) bool {
	for partition, end := range ends {
		if end > 0 && next[partition] < end {
			return false
		}
	}
	return true
}
