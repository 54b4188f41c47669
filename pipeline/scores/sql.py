"""The SQL of scores, which stands beside their Python."""

from __future__ import annotations

from importlib.resources import files


def sql_texts(folder: str) -> tuple[str, str]:
    """Return `as_of.sql` (functions) and `views.sql` of a score's folder."""
    place = files("pipeline.scores") / folder
    return (place / "as_of.sql").read_text(encoding="utf-8"), (place / "views.sql").read_text(encoding="utf-8")
