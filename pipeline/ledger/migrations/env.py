"""Alembic's environment: the connection comes from `pipeline.ledger.migrate`."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
with context.begin_transaction():
    context.run_migrations()
