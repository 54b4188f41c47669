"""`pipeline identity show`, `links` and `shared`."""

from __future__ import annotations

from datetime import UTC, datetime

import click
from sqlalchemy import Connection

from pipeline import settings
from pipeline.cli.customer_key import FORMS, find, forms
from pipeline.cli.formatting import moment, printable
from pipeline.cli.output import Column, print_json, print_table
from pipeline.cli.quarantine.places import SinceType
from pipeline.queries import identity as reading_identity
from pipeline.queries.connection import reading
from pipeline.queries.identity import IdentityView

_SEGMENTS = (
    Column("from (UTC)"), Column("until (UTC)"), Column("owner", folds=True), Column("why"), Column("trust"),
    Column("event"),
)  # fmt: skip
_STRETCHES = (
    Column("named with", folds=True), Column("trust"), Column("from (UTC)"), Column("until (UTC)"),
    Column("first event"),
)  # fmt: skip
_CORRECTIONS = (Column("correction"), Column("at (UTC)"), Column("event"), Column("of", folds=True))
_LINKS = (
    Column("key", folds=True), Column("belongs to", folds=True), Column("since (UTC)"), Column("until (UTC)"),
    Column("why"), Column("trust"), Column("event"),
)  # fmt: skip
_SHARED = (Column("key", folds=True), Column("why"), Column("since (UTC)"), Column("until (UTC)"), Column("targets"))
_at = click.option(
    "--at", type=SinceType(), metavar="TIME", help="As of this time: RFC 3339, or an age such as 7d.  [default: now]"
)
_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def known_key(connection: Connection, given: str) -> str:
    """Return the key that a text stands for: one that was named with others, or that has journeys."""
    for key in forms(given):
        view = reading_identity.identity(connection, key, datetime.now(UTC))
        if view.segments or view.stretches or view.corrections or reading_identity.links(connection, key, 1):
            return key
    return find(connection, given)


@click.command(help=f"Show whose a key is, now and over time, and the evidence.\n\n{FORMS}")
@click.argument("key")
@_at
@_as_json
def show(key: str, at: datetime | None, as_json: bool) -> None:
    """Show whose a key is."""
    now = at or datetime.now(UTC)
    with reading(settings.load(needs=settings.READER).database_url) as connection:
        view = reading_identity.identity(connection, known_key(connection, key), now)
    if as_json:
        print_json(view)
        return
    name = printable(view.key)
    click.echo(f"{name} belongs to {printable(view.owner)}" if view.owner != view.key else f"{name} is nobody else's")
    if view.is_being_restated:
        click.echo("Its touchpoints are being brought to their holders.")
    _print_evidence(view)


def _print_evidence(view: IdentityView) -> None:
    if view.segments:
        click.echo("\nWho holds it; a holder can have a holder in turn")
        print_table(
            _SEGMENTS,
            [
                [when(s.since), when(s.until), s.owner, s.why, s.trust, _event(s.source, s.event_id)]
                for s in view.segments
            ],
        )
    if view.stretches:
        click.echo("\nNamed together with")
        print_table(
            _STRETCHES,
            [
                [s.target, s.trust, when(s.started_at), when(s.ended_at), _event(s.source, s.event_id)]
                for s in view.stretches
            ],
        )
    if view.corrections:
        click.echo("\nCorrections")
        print_table(
            _CORRECTIONS,
            [[c.kind, when(c.at), _event(c.source, c.event_id), c.other or c.subject] for c in view.corrections],
        )


@click.command(help=f"Show the keys that belong to a key, directly or through others.\n\n{FORMS}")
@click.argument("key")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="Maximum number of keys.")
@_as_json
def links(key: str, limit: int, as_json: bool) -> None:
    """Show the keys that belong to a key."""
    with reading(settings.load(needs=settings.READER).database_url) as connection:
        name = known_key(connection, key)
        found = reading_identity.links(connection, name, limit)
    if as_json:
        print_json([each._asdict() for each in found])
    elif not found:
        click.echo(f"No other key belongs to {printable(name)}.")
    else:
        rows = [
            [each.key, each.owner, when(each.since), when(each.until), each.why, each.trust,
             _event(each.source, each.event_id)]
            for each in found
        ]  # fmt: skip
        print_table(_LINKS, rows)


@click.command()
@_at
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="Maximum number of keys.")
@_as_json
def shared(at: datetime | None, limit: int, as_json: bool) -> None:
    """Show the keys that nobody holds, since too many use them; those of most people first."""
    with reading(settings.load(needs=settings.READER).database_url) as connection:
        found = reading_identity.shared(connection, at or datetime.now(UTC), limit)
    if as_json:
        print_json([each._asdict() for each in found])
    elif not found:
        click.echo("No key is shared.")
    else:
        print_table(_SHARED, [[s.key, s.why, when(s.since), when(s.until), f"{s.targets:,}"] for s in found])


def when(at: datetime) -> str:
    """Return a time; nothing for the first and the last that the tables have."""
    return "" if at.year in (1, 9999) else moment(at)


def _event(source: str, event_id: str) -> str:
    return f"{source} {event_id}" if source else ""
