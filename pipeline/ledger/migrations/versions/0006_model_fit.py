"""How each model was fitted and validated."""

from pathlib import Path

from alembic import op

from pipeline.ledger.migrate import script_text

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute(script_text((Path(__file__).parent.parent / "0006_model_fit.sql").read_text(encoding="utf-8")))
