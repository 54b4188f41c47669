"""Identity: who a key is, over time."""
