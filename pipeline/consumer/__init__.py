"""Consuming: reading touchpoints.v1 through Faust, slice by slice, from the ledger's positions."""
