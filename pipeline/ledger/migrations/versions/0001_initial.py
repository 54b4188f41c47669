"""The first tables."""

from pathlib import Path

from alembic import op

from pipeline.ledger.migrate import script_text

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(script_text((Path(__file__).parent.parent / "0001_initial.sql").read_text(encoding="utf-8")))
