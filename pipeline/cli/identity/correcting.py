"""`pipeline identity merge`, `split`, `retract` and `end`: each publishes the event that does it."""

from __future__ import annotations

import time
from collections.abc import Sequence, Set
from datetime import UTC, datetime
from uuid import uuid4

import click

from pipeline import settings
from pipeline.channels.hashing import identifier
from pipeline.cli.formatting import plural, printable
from pipeline.cli.quarantine.places import SinceType
from pipeline.client.outgoing import Unpublishable
from pipeline.client.publisher import Publisher
from pipeline.contract.validate import check
from pipeline.errors import InvalidInput
from pipeline.identity.correction import Correction
from pipeline.journey import policy
from pipeline.queries.connection import reading
from pipeline.queries.correction_effect import effect
from pipeline.touchpoint import (
    ANONYMOUS,
    CUSTOMER,
    CUSTOMER_MERGED,
    CUSTOMER_SPLIT,
    IDENTITY_ENDED,
    IDENTITY_RETRACTED,
    MERGED_CUSTOMER,
    Touchpoint,
    named_keys,
)

#: The source of corrections that take nothing back.
SOURCE = "pipeline-cli"
_yes = click.option("--yes", is_flag=True, help="Do not ask.")
_dry_run = click.option("--dry-run", is_flag=True, help="Say what would change, and publish nothing.")
_at = click.option(
    "--at", type=SinceType(), metavar="TIME", help="When it happened: RFC 3339, or an age such as 2h.  [default: now]"
)
_source = click.option("--source", required=True, help="The source of the event that is taken back.")


@click.command()
@click.argument("survivor")
@click.argument("other")
@_at
@_dry_run
@_yes
def merge(survivor: str, other: str, at: datetime | None, dry_run: bool, yes: bool) -> None:
    """Merge the customer OTHER into the customer SURVIVOR, for all time: two accounts of one person.

    Both are customers' numbers, or customer:NUMBER.
    """
    into, from_ = _number(survivor), _number(other)
    if into == from_:
        raise InvalidInput("A customer can't be merged with itself.")
    event = _correction(CUSTOMER_MERGED, at, SOURCE, customer_id=into, attributes={MERGED_CUSTOMER: from_})
    _publish(event, [f"{CUSTOMER}:{from_}", f"{CUSTOMER}:{into}"], dry_run, yes)


@click.command()
@click.argument("event_id")
@_source
@click.option("--customer", required=True, help="The customer who survived the merge.")
@_at
@_dry_run
@_yes
def split(event_id: str, source: str, customer: str, at: datetime | None, dry_run: bool, yes: bool) -> None:
    """Take back the merge whose event has the id EVENT_ID, as `pipeline identity show` shows it."""
    number = _number(customer)
    event = _correction(CUSTOMER_SPLIT, at, source, customer_id=number, subject=event_id)
    _publish(event, [f"{CUSTOMER}:{number}"], dry_run, yes)


@click.command()
@click.argument("keys", nargs=-1, required=True)
@click.option("--event", "event_id", help="Only what the event with this id has said, or this correction has done.")
@click.option("--source", help="The source of that event.")
@_at
@_dry_run
@_yes
def retract(
    keys: Sequence[str], event_id: str | None, source: str | None, at: datetime | None, dry_run: bool, yes: bool
) -> None:
    """Take back that KEYS belong together: all namings so far of the weaker ones with the strongest.

    With --event and --source, all that this event has said; name a key of it.
    """
    if (event_id is None) != (source is None):
        raise click.UsageError("--event and --source go together.")
    if event_id is None and len(keys) < 2:
        raise click.UsageError("Name at least two keys, or --event and --source.")
    event = _correction(IDENTITY_RETRACTED, at, source or SOURCE, keys=keys, subject=event_id)
    _publish(event, _names(event), dry_run, yes)


@click.command()
@click.argument("keys", nargs=-1, required=True)
@_at
@_dry_run
@_yes
def end(keys: Sequence[str], at: datetime | None, dry_run: bool, yes: bool) -> None:
    """Say that from now on nobody holds KEYS by what was before: a number that was given back, a computer sold."""
    event = _correction(IDENTITY_ENDED, at, SOURCE, keys=keys)
    _publish(event, _names(event), dry_run, yes)


def _correction(
    kind: str,
    at: datetime | None,
    source: str,
    *,
    keys: Sequence[str] = (),
    customer_id: str | None = None,
    subject: str | None = None,
    attributes: dict[str, str] | None = None,
) -> Touchpoint:
    anonymous_id, identifiers = None, []
    for key in keys:
        name, colon, value = key.partition(":")
        if not colon or not value:
            raise InvalidInput(
                f"{printable(key)} is no key; it takes TYPE:VALUE, such as customer:42 or email:ADDRESS."
            )
        if name == CUSTOMER:
            customer_id = value
        elif name == ANONYMOUS:
            anonymous_id = value
        else:
            try:
                identifiers.append(identifier(name, value))
            except ValueError as error:
                raise InvalidInput(f"The {name} {error}.") from None
    return Touchpoint(
        event_id=str(uuid4()),
        source=source,
        occurred_at=round((at or datetime.now(UTC)).timestamp() * 1000),
        kind=kind,
        customer_id=customer_id,
        anonymous_id=anonymous_id,
        identifiers=tuple(identifiers),
        subject=subject,
        attributes=attributes or {},
    )


def _names(event: Touchpoint) -> list[str]:
    names = [f"{each.type}:{each.value}" for each in event.identifiers]
    names += [f"{CUSTOMER}:{event.customer_id}"] if event.customer_id else []
    return names + ([f"{ANONYMOUS}:{event.anonymous_id}"] if event.anonymous_id else [])


def _number(given: str) -> str:
    return given.removeprefix(f"{CUSTOMER}:")


def _publish(event: Touchpoint, keys: Sequence[str], dry_run: bool, yes: bool) -> None:
    config = settings.load(needs=settings.READER if dry_run else settings.SERVERS)
    rules = policy.read(config.policy_file)
    nobody = rules.identity.nobody
    if (wrong := check(event, time.time_ns() // 1_000_000, nobody)) is not None:
        raise Unpublishable(wrong)
    with reading(config.database_url) as connection:
        would = effect(connection, _as_correction(event, nobody), rules)
    click.echo(
        f"{plural(would.touchpoints, 'touchpoint')} would get another owner; "
        f"{plural(would.journeys, 'journey')} and {plural(would.customers, 'customer')} would change.",
        err=not dry_run,
    )
    if dry_run:
        return
    if not yes:
        click.confirm("Publish the correction?", abort=True, err=True)
    with Publisher(config.kafka, config.registry, nobody=nobody) as publisher:
        publisher.publish(event)
    click.echo(
        f"Published {event.kind} {event.event_id} of source {event.source}. To take it back: "
        f"pipeline identity retract {' '.join(keys)} --event {event.event_id} --source {event.source}"
    )


def _as_correction(event: Touchpoint, nobody: Set[str]) -> Correction:
    """Return the correction that workers will make of a valid event."""
    keys = named_keys(event, nobody)
    merged = event.attributes.get(MERGED_CUSTOMER)
    other = None if merged is None else f"{CUSTOMER}:{merged}"
    return Correction(keys[0], keys, event.kind, event.occurred_at, event.source, event.event_id, event.subject, other)
