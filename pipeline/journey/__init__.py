"""Journeys: the policy of gaps, and the sessionizing of touchpoints into connected intervals."""
