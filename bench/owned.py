"""Whose touchpoints are, as the tables have it."""

from __future__ import annotations

from collections.abc import Mapping

from bench.rig import Rig
from pipeline.errors import PipelineError


def owned(own: Rig, key: str) -> int:
    """Return how many touchpoints a key has in its journeys."""
    [found] = own.ledger.execute(
        "SELECT coalesce(sum(touchpoints), 0)::bigint FROM journey "
        "WHERE customer = %s AND merged_into IS NULL AND moved_to IS NULL",
        [key],
    ).fetchone() or (0,)
    return int(found)


def owned_by_type(own: Rig) -> dict[str, int]:
    """Type of key → how many touchpoints all keys of this type have."""
    found = own.ledger.execute(
        "SELECT split_part(customer, ':', 1), sum(touchpoints)::bigint FROM journey "
        "WHERE merged_into IS NULL AND moved_to IS NULL GROUP BY 1"
    )
    return {type: int(count) for type, count in found if count}


def judge(found: Mapping[str, int], true: Mapping[str, int]) -> None:
    """Raise PipelineError if touchpoints have other owners than they should."""
    if dict(found) != dict(true):
        raise PipelineError(f"Touchpoints by owner are {_words(found)}, and should be {_words(true)}.")


def _words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} of {name}" for name, count in counts.items()) or "none"
