"""Sums of waits and durations that no number of touchpoints overflows."""

from pathlib import Path

from alembic import op

from pipeline.ledger.migrate import script_text

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute(script_text((Path(__file__).parent.parent / "0003_wide_sums.sql").read_text(encoding="utf-8")))
