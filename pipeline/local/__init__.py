"""A private Kafka, schema registry and Postgres in a project's folder: no Docker, no root, nothing installed."""
