"""A private Kafka, schema registry and Postgres in a project's folder, without Docker, root, or an installation."""
