"""Neutral answers, and what customers answered."""

from pathlib import Path

from alembic import op

from pipeline.ledger.migrate import script_text

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.execute(script_text((Path(__file__).parent.parent / "0008_feedback.sql").read_text(encoding="utf-8")))
