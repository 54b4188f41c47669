"""Who may still be publishing a partition's records, and which ledger its commit numbers belong to."""

from pathlib import Path

from alembic import op

from pipeline.ledger.migrate import script_text

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.execute(script_text((Path(__file__).parent.parent / "0002_publishers.sql").read_text(encoding="utf-8")))
