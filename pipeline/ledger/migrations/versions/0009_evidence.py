"""Adds what went wrong for customers, how much they do, and what they paid."""

from pathlib import Path

from alembic import op

from pipeline.ledger.migrate import script_text

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.execute(script_text((Path(__file__).parent.parent / "0009_evidence.sql").read_text(encoding="utf-8")))
