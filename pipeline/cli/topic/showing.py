"""`pipeline topic show`: one record of touchpoints.v1, with its key, headers and bytes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from pipeline import settings
from pipeline.cli import formatting
from pipeline.cli.output import print_json
from pipeline.cli.quarantine.places import places_argument
from pipeline.cli.record_text import decoded_lines, hex_dump, readable
from pipeline.client.topic_records import TopicRecords
from pipeline.contract.registry import Registry
from pipeline.contract.salvage import salvage
from pipeline.contract.writers import KnownWriters
from pipeline.errors import InvalidInput, Unavailable
from pipeline.queries.quarantine import Place
from pipeline.topics import TOUCHPOINTS

_BYTES = 512


@click.command()
@places_argument(required=True)
@click.option(
    "--bytes", "most", type=click.IntRange(0), default=_BYTES, show_default=True, help="Maximum number of bytes shown."
)
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON, bytes in hex.")
def show(places: tuple[Place, ...], most: int, as_json: bool) -> None:
    """Show records of touchpoints.v1: key, headers and bytes, decoded if possible.

    The output holds personal data.
    """
    config = settings.load(needs=settings.PRODUCER)
    records = TopicRecords(config.kafka, TOUCHPOINTS)
    try:
        messages = [(place, _read(records, place)) for place in dict.fromkeys(places)]
    finally:
        records.close()
    writers = KnownWriters(Registry(config.registry), TOUCHPOINTS)
    try:
        writers.learn(message.value() for _, message in messages)
    except Unavailable as error:
        click.echo(f"Not decoded. {error}", err=True)
    shown = [(place, message, salvage(message.value(), writers)) for place, message in messages]
    if as_json:
        print_json([_plain(*each) for each in shown])
        return
    for number, each in enumerate(shown):
        if number:
            click.echo()
        _print(*each, most)


def appended_at(message: Any) -> datetime:
    """Return when a record was appended, in UTC."""
    return datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC)


def _read(records: TopicRecords, place: Place) -> Any:
    message = records.read(place.partition, place.offset)
    if message is not None:
        return message
    low, end = records.bounds().get(place.partition, (0, 0))
    raise InvalidInput(
        f"{TOUCHPOINTS} has no record at {place}. Partition {place.partition} has records from offset {low:,} up to "
        f"{end - 1:,}; a place in between can hold a mark of a transaction."
        if end > low
        else f"{TOUCHPOINTS} has no record at {place}: the partition holds none."
    )


def _print(place: Place, message: Any, record: dict[str, Any] | None, most: int) -> None:
    value = message.value()
    click.echo(str(place))
    facts = [
        ("appended", f"{formatting.moment(appended_at(message))} UTC"),
        ("key", readable(message.key())),
        *[("header", f"{formatting.printable(name)}: {readable(said)}") for name, said in message.headers() or ()],
        ("value", "none (null)" if value is None else formatting.plural(len(value), "byte")),
    ]
    for label, text in facts:
        click.echo(f"  {label:<10}{text}")
    for row in hex_dump(value or b"", most, "--bytes shows more"):
        click.echo(f"    {row}")
    if record is not None:
        click.echo("  decoded")
        for line in decoded_lines(record):
            click.echo(f"    {line}")
    elif value:
        click.echo("  decoded   not readable as a touchpoint")


def _plain(place: Place, message: Any, record: dict[str, Any] | None) -> dict[str, Any]:
    key, value = message.key(), message.value()
    return {
        "partition": place.partition,
        "offset": place.offset,
        "appended_at": appended_at(message),
        "key": None if key is None else key.hex(),
        "headers": [[name, (said or b"").hex()] for name, said in message.headers() or ()],
        "value": None if value is None else value.hex(),
        "decoded": record,
    }
