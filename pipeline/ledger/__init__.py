"""The ledger: Postgres, which alone says how far the job is and what came of it."""
