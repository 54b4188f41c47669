"""Churn risk: the chance that a customer does not come again within a horizon, and what it rests on."""
