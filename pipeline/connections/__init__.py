"""How to reach Kafka, the schema registry and Postgres: the only place that knows addresses, credentials and TLS."""
