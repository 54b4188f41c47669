"""When what is in the outbox was committed, so that its age can be seen."""

from pathlib import Path

from alembic import op

from pipeline.ledger.migrate import script_text

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute(script_text((Path(__file__).parent.parent / "0004_outbox_age.sql").read_text(encoding="utf-8")))
