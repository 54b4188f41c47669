"""Observability: metrics, health, logs."""
