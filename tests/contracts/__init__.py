"""Contracts that several implementations keep: one set of tests for all of them."""
