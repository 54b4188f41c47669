"""Processing: a worker takes slices of its partitions through the flow into the ledger, and publishes the results."""
