"""The audit: journeys and scores rebuilt from the topic in one batch, and compared with the tables.

It computes in another way than the worker does (SQL over all touchpoints at once, not state that grows), and shares
nothing with it but the contract: so a result that both have is not one mistake made twice.
"""
