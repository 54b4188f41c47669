"""Adds what the answers are about that a customer's satisfaction rests on."""

from pathlib import Path

from alembic import op

from pipeline.ledger.migrate import script_text

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.execute(script_text((Path(__file__).parent.parent / "0010_satisfaction_about.sql").read_text(encoding="utf-8")))
