"""Scores of customers: one protocol, and a folder for each score."""
