"""A seeded, made-up population on four channels, for demonstrations, tests and benchmarks. No clock, no I/O."""
