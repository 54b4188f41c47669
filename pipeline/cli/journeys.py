"""Shows a journey for people, step by step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, NamedTuple

from pipeline.cli import formatting
from pipeline.cli.output import Cell, Column
from pipeline.queries.customers import JourneyView

STYLES = {"succeeded": "green", "failed": "red", "abandoned": "yellow"}
COLUMNS = (Column("time"), Column("channel"), Column("what"), Column("outcome"), Column("details", folds=True))
SAID = {"succeeded": "succeeded", "failed": "failed", "abandoned": "given up"}


class Line(NamedTuple):
    """One line of a journey: a step, or `times` consecutive ones of the same kind without an outcome."""

    at: datetime
    channel: str
    kind: str
    times: int
    outcome: str
    details: str


def heading(journey: JourneyView) -> str:
    """Return its time, status, outcome and channels."""
    channels = ", ".join(f"{channel} {count}" for channel, count in _by_count(journey.channels))
    outcome = f", {SAID[journey.outcome]} in the end" if journey.outcome in SAID else ""
    end = formatting.moment(journey.ended_at, seconds=False)
    start = formatting.moment(journey.started_at, seconds=False)
    when = start if start == end else f"{start} to {end if end[:10] != start[:10] else end[11:]}"
    return (
        f"{when}   {journey.status}{outcome}; {formatting.plural(journey.touchpoints, 'touchpoint')}: {channels} "
        f"(revision {journey.revision})"
    )


def lines(steps: Sequence[Mapping[str, Any]]) -> list[Line]:
    """Return the lines of steps; consecutive ones of the same kind share a line unless they have details."""
    made = []
    for _, group in groupby(enumerate(steps), key=lambda item: _sameness(*item)):
        same = [step for _, step in group]
        first = same[0]
        made.append(
            Line(
                datetime.fromisoformat(first["at"]),
                first["channel"],
                first["kind"],
                len(same),
                first["outcome"],
                details(first),
            )
        )
    return made


def rows(journey: JourneyView, most: int) -> Iterator[list[str | Cell]]:
    """Yield up to `most` (1 or more) lines as cells of COLUMNS; the date where it is another.

    Where lines are left out, or steps that the ledger does not keep, a line says how many.
    """
    head, tail = _ends(journey, most)
    left_out = journey.touchpoints - sum(line.times for line in (*head, *tail))
    day = ""
    for number, line in enumerate((*head, *tail)):
        if number == len(head) and left_out:
            yield _left_out(left_out)
        text = formatting.moment(line.at)
        yield cells(line, text if text[:10] != day else " " * 11 + text[11:])
        day = text[:10]
    if not tail and left_out:
        yield _left_out(left_out)


def _ends(journey: JourneyView, most: int) -> tuple[list[Line], list[Line]]:
    """Return the lines before and after the place where some are left out."""
    # Of a long journey the ledger keeps as many steps from the beginning as from the end.
    gap = len(journey.steps) // 2 if journey.steps_omitted else len(journey.steps)
    before, after = lines(journey.steps[:gap]), lines(journey.steps[gap:])
    if len(before) + len(after) <= most:
        return before, after
    head = (most + 1) // 2
    tail = most - head
    if not after:
        return before[:head], before[len(before) - tail :]
    return before[:head], after[max(0, len(after) - tail) :]


def details(step: Mapping[str, Any]) -> str:
    """Return the details of a step."""
    said = []
    if (wait := step.get("wait_ms")) is not None:
        said.append(f"waited {formatting.span(wait)}")
    if (duration := step.get("duration_ms")) is not None:
        said.append(f"took {formatting.span(duration)}")
    if (score := step.get("score")) is not None:
        said.append(f"answered {score:.0f} of 100")
    if (minor := step.get("amount_minor")) is not None:
        said.append(formatting.amount(minor, step.get("currency")))
    if (late := step.get("late_ms")) is not None:
        said.append(_lateness(datetime.fromisoformat(step["at"]), late))
    if (begun_by := step.get("begun_by")) is not None:
        said.append(f"begun by the {begun_by}")
    return ", ".join(said)


def _lateness(at: datetime, late_ms: int) -> str:
    """Return when it was due and by how much it missed that; the date where it was due on another day than it came."""
    due, came = (formatting.moment(each, seconds=False) for each in (at - timedelta(milliseconds=late_ms), at))
    due = due[11:] if due[:10] == came[:10] else due
    if not late_ms:
        return f"due {due}, on time"
    return f"due {due}, {'late' if late_ms > 0 else 'early'} by {formatting.span(abs(late_ms))}"


def _sameness(number: int, step: Mapping[str, Any]) -> tuple[object, ...]:
    """Return what is equal for steps that share a line."""
    eventful = step["outcome"] != "none" or details(step)
    # A line covers one day, since it shows one time.
    return (step["channel"], step["kind"], step["at"][:10], number if eventful else -1)


def cells(line: Line, time: str | None = None) -> list[str | Cell]:
    """Return a line as cells of COLUMNS; its time is written as `time`, if that is given."""
    what = line.kind if line.times == 1 else f"{line.kind} ×{line.times}"
    return [
        Cell(formatting.moment(line.at) if time is None else time, "dim"),
        Cell(line.channel, "cyan"),
        what,
        Cell(SAID.get(line.outcome, ""), STYLES.get(line.outcome, "")),
        line.details,
    ]


def _left_out(count: int) -> list[str | Cell]:
    return ["", "", Cell(f"… {formatting.plural(count, 'more step')} …", "dim"), "", ""]


def _by_count(channels: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(channels.items(), key=lambda item: (-item[1], item[0]))
