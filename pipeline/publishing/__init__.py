"""Publishing: what the ledger has recorded goes out to Kafka, in order and exactly once."""
