"""Bytes to values and back: the wire format, the schemas, the registry, and what is refused and why."""
