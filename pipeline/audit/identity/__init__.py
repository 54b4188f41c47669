"""Who is who, computed from all namings and corrections at once, one key at a time (docs/identity.md).

It states the rules again, and shares none of the worker's code for them: so owners that both find are not one mistake
made twice. Everything here is pure. Order of evaluation: corrections, stretches, merges, shared keys, owners.
"""
