-- Run once, when the container's Postgres makes its data: the schema registry keeps its schemas apart from the ledger.
CREATE DATABASE registry;
