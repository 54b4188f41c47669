"""Producers: adapters from the channels' own records to touchpoints, and the publisher that sends them."""
