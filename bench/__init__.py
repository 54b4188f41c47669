"""Measurements on a real Kafka, registry and Postgres."""
