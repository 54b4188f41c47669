"""Stretches: namings of a key with the same target and trust that follow each other closely."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pipeline.identity.naming import Naming


class Stretch(NamedTuple):
    """A connected interval of namings; both ends (epoch milliseconds) are inclusive.

    `source` and `event_id` are those of its first naming. The target of an erased customer begins with `erased:`.
    """

    target: str
    trust: str
    started_at: int
    ended_at: int
    source: str
    event_id: str

    @property
    def holds_nobody(self) -> bool:
        """Return whether the customer was erased; what was theirs must not fall to somebody else."""
        return self.target.startswith("erased:")


def add_namings(stretches: Sequence[Stretch], namings: Iterable[Naming], stretch_ms: int) -> Sequence[Stretch]:
    """Return the stretches with namings added; the same sequence if they change nothing.

    Namings of a stretch are at most `stretch_ms` apart. The result does not depend on the order of adding.
    """
    added: list[Stretch] | None = None
    for fresh in _runs(namings, stretch_ms):
        so_far: Sequence[Stretch] = stretches if added is None else added
        met = [each for each in so_far if _meets(each, fresh, stretch_ms)]
        joined = _join([*met, fresh])
        if met != [joined]:
            added = [*[each for each in so_far if each not in met], joined]
    return stretches if added is None else tuple(sorted(added))


def _runs(namings: Iterable[Naming], stretch_ms: int) -> list[Stretch]:
    """Return the stretches of namings that come together."""
    runs: list[list[Naming]] = []
    for naming in sorted(namings):
        last = runs[-1][-1] if runs else None
        if (
            last is not None
            and naming.target == last.target
            and naming.trust == last.trust
            and naming.at - last.at <= stretch_ms
        ):
            runs[-1].append(naming)
        else:
            runs.append([naming])
    return [_stretch(run[0], run[-1].at) for run in runs]


def _stretch(first: Naming, ended_at: int) -> Stretch:
    return Stretch(first.target, first.trust, first.at, ended_at, first.source, first.event_id)


def _meets(stretch: Stretch, other: Stretch, stretch_ms: int) -> bool:
    return (
        stretch.target == other.target
        and stretch.trust == other.trust
        and stretch.started_at - stretch_ms <= other.ended_at
        and other.started_at <= stretch.ended_at + stretch_ms
    )


def _join(stretches: Sequence[Stretch]) -> Stretch:
    first = min(stretches, key=lambda each: (each.started_at, each.source, each.event_id))
    return first._replace(ended_at=max([each.ended_at for each in stretches]))
