"""The Kafka side: slices in, batches through the core into the ledger, records out."""
