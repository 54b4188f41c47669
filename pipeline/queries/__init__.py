"""Queries: reading the tables for people, apart from the ledger's write path."""
