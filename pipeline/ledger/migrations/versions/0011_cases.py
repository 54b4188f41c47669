"""Adds cases."""

from pathlib import Path

from alembic import op

from pipeline.ledger.migrate import script_text

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.execute(script_text((Path(__file__).parent.parent / "0011_cases.sql").read_text(encoding="utf-8")))
