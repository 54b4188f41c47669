"""Satisfaction: scales of feedback, the decayed estimate of a customer, the share satisfied of a touchpoint."""
