"""Which journeys are visits: those with activity of the customer."""

from pathlib import Path

from alembic import op

from pipeline.ledger.migrate import script_text

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.execute(script_text((Path(__file__).parent.parent / "0007_visits.sql").read_text(encoding="utf-8")))
