"""Who is who: namings, stretches, corrections, owners, and touchpoints that have another holder."""

from pathlib import Path

from alembic import op

from pipeline.ledger.migrate import script_text

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.execute(script_text((Path(__file__).parent.parent / "0005_identity.sql").read_text(encoding="utf-8")))
