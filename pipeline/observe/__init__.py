"""What is observed: metrics, health, logs."""
