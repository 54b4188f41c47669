"""The demonstration: a private stack, some weeks of four channels, and a worker."""
