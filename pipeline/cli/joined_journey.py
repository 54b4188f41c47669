"""Shows for people how a journey was joined: by which key each touchpoint came, and why that is the customer's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby

from pipeline.cli import formatting
from pipeline.cli.journeys import SAID, STYLES
from pipeline.cli.output import Cell, Column
from pipeline.identity.segments import CLAIMED, MERGED
from pipeline.queries.evidence import Evidence
from pipeline.queries.joined_journeys import JoinedJourney, JoinedStep

COLUMNS = (
    Column("time"), Column("channel"), Column("what"), Column("outcome"), Column("came by"),
    Column("how it is known whose that is", folds=True),
)  # fmt: skip
#: Longest value of a key that is shown; of longer ones, such as hashes, so many characters.
_LONGEST, _SHOWN = 16, 12


def rows(joined: JoinedJourney) -> Iterator[list[str | Cell]]:
    """Yield the lines of a journey as cells of COLUMNS; what was said of a key before is not repeated."""
    day = ""
    told: set[tuple[str, str]] = set()
    for _, group in groupby(joined.steps, key=lambda step: _sameness(step, joined.customer)):
        same = list(group)
        first = same[0]
        text, said = formatting.moment(datetime.fromisoformat(first.step["at"])), known_by(first, joined.customer)
        outcome = first.step["outcome"]
        yield [
            Cell(text if text[:10] != day else " " * 11 + text[11:], "dim"),
            Cell(first.step["channel"], "cyan"),
            first.step["kind"] + (f" ×{len(same)}" if len(same) > 1 else ""),
            Cell(SAID.get(outcome, ""), STYLES.get(outcome, "")),
            short(first.key),
            Cell("as above", "dim") if (first.key, said) in told else said,
        ]
        day = text[:10]
        told.add((first.key, said))


def known_by(step: JoinedStep, customer: str) -> str:
    """Return in words why a step is the customer's."""
    if not step.evidence:
        return "it names the customer"
    return "; ".join([_said(link, customer) for link in step.evidence])


def example_key(joined: JoinedJourney) -> str:
    """Return a key by which a touchpoint came, the shortest that is not the customer's own."""
    return min([step.key for step in joined.steps if step.evidence], key=len, default=joined.customer)


def short(key: str) -> str:
    """Return a key with the beginning of a long value."""
    kind, colon, value = key.partition(":")
    return key if len(value) <= _LONGEST else f"{kind}{colon}{value[:_SHOWN]}…"


def _said(link: Evidence, customer: str) -> str:
    when = "" if link.at is None else f" on {formatting.moment(link.at, seconds=False)}"
    owner = "the customer" if link.owner == customer else short(link.owner)
    event = f"{link.kind or 'an event'}{when}"
    if link.why == MERGED:
        return f"{event} ({link.source} {link.event_id}) merged {short(link.key)} into {owner}"
    before = ", and it was theirs before, too" if link.why == CLAIMED else ""
    return f"{event} ({link.source} {link.event_id}, {link.trust}) named it with {owner}{before}"


def _sameness(joined: JoinedStep, customer: str) -> Sequence[object]:
    """Return what is equal for consecutive steps that share a line: they have no outcome, and came in the same way."""
    step = joined.step
    number = id(joined) if step["outcome"] != "none" else 0
    return step["channel"], step["kind"], step["at"][:10], joined.key, known_by(joined, customer), number
