"""Selects records of the quarantine, and asks for confirmation."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click
from sqlalchemy import Connection

from pipeline.cli import formatting
from pipeline.errors import PipelineError
from pipeline.queries.quarantine import Entry, Place, Selection, counts, entries


class NotInQuarantine(PipelineError):
    """A place at which no record was refused."""

    def __init__(self, places: Sequence[Place]) -> None:
        several = len(places) > 1
        super().__init__(
            f"No record{'s' if several else ''} {', '.join(map(str, places))} in quarantine. "
            "`pipeline quarantine list --status any` shows which there are."
        )


def selected(places: Sequence[Place], reasons: Sequence[str], everything: bool, statuses: Sequence[str]) -> Selection:
    """Return the selection: records of places, or all, or all of a reason. Raises UsageError without a choice."""
    if bool(places) + bool(reasons) + everything != 1:
        raise click.UsageError("Name the records as PARTITION/OFFSET, or choose --all, or --reason REASON.")
    return Selection(places=places, reasons=reasons, statuses=statuses)


def check_places(connection: Connection, places: Sequence[Place], *, hint: str) -> list[Entry]:
    """Return the entries of places; report on standard error those that are settled already, with `hint`.

    Raises NotInQuarantine when one of them is not there.
    """
    if not places:
        return []
    chosen = entries(connection, Selection(places=places))
    known = {one.place for one in chosen}
    if missing := [place for place in dict.fromkeys(places) if place not in known]:
        raise NotInQuarantine(missing)
    for one in chosen:
        if one.settled_at is not None and hint:
            when = formatting.moment(one.settled_at)
            click.echo(f"{one.place} was {one.status} on {when} UTC already{hint}", err=True)
    return chosen


def count(connection: Connection, selection: Selection) -> int:
    """Return the number of selected records."""
    return sum(one.new + one.replayed + one.discarded for one in counts(connection, selection))


def confirm(question: str, yes: bool) -> None:
    """Ask on a terminal, unless confirmed by an option; raises Abort for no."""
    if not yes and sys.stdin.isatty():
        click.confirm(question, abort=True, err=True)
