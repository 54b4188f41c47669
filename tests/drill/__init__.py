"""The fault drill: a real Prometheus over real workers, faults, and when each alert came and went."""
