"""The database's revision is known without alembic."""

from __future__ import annotations

from alembic.script import ScriptDirectory

from pipeline.ledger.migrate import _config
from pipeline.ledger.revision import head


def test_this_versions_revision_is_the_one_that_migrations_lead_to() -> None:
    assert head() == ScriptDirectory.from_config(_config()).get_current_head()
