"""The fault gate: the real pipeline under load while workers and servers fail; every record must be accounted for."""
