"""`pipeline quarantine show`. The only command that prints the content of a refused record."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import click
import orjson

from pipeline import settings
from pipeline.cli import formatting
from pipeline.cli.output import console, print_json
from pipeline.cli.quarantine.listing import STATUS_STYLES, plain
from pipeline.cli.quarantine.mending import mend
from pipeline.cli.quarantine.places import places_argument
from pipeline.cli.quarantine.selecting import NotInQuarantine
from pipeline.cli.record_text import decoded_lines, hex_dump, readable
from pipeline.connections.registry import RegistryConnection
from pipeline.contract.registry import Registry
from pipeline.contract.reject import REASONS
from pipeline.contract.salvage import salvage
from pipeline.contract.writers import KnownWriters
from pipeline.errors import PipelineError, Unavailable
from pipeline.queries.connection import reading
from pipeline.queries.quarantine import Contents, Place, contents
from pipeline.topics import TOUCHPOINTS

#: The field of a line to be corrected that names the record that it replaces.
LINK = "quarantine"
_BYTES = 512


@click.command()
@places_argument(required=True)
@click.option(
    "--bytes", "most", type=click.IntRange(0), default=_BYTES, show_default=True, help="Maximum number of bytes shown."
)
@click.option("--raw", type=click.Path(dir_okay=False, allow_dash=True), help="Write the bytes to this file instead.")
@click.option("--jsonl", is_flag=True, help="Print only the JSON Lines to correct, for `replay --corrected`.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON, bytes in hex.")
def show(places: tuple[Place, ...], most: int, raw: str | None, jsonl: bool, as_json: bool) -> None:
    """Show refused records: the reason, what to do, and the bytes, decoded if possible.

    The output holds personal data.
    """
    if raw is not None and len(places) != 1:
        raise click.UsageError("--raw writes the bytes of one record.")
    if bool(raw) + jsonl + as_json > 1:
        raise click.UsageError("Choose one of --raw, --jsonl and --json.")
    config = settings.load(needs=(settings.REGISTRY, settings.DATABASE))
    with reading(config.database_url) as connection:
        records = {one.entry.place: one for one in contents(connection, places)}
    if missing := [place for place in places if place not in records]:
        raise NotInQuarantine(missing)
    chosen = [records[place] for place in dict.fromkeys(places)]
    if raw is not None:
        _write(raw, chosen[0].value)
        return
    decoded = _decoded(chosen, config.registry)
    if jsonl:
        _print_lines(chosen, decoded)
    elif as_json:
        print_json([_plain(one, record) for one, record in zip(chosen, decoded, strict=True)])
    else:
        for number, (one, record) in enumerate(zip(chosen, decoded, strict=True)):
            if number:
                click.echo()
            _print(one, record, most)


def line(place: Place, record: dict[str, Any]) -> bytes:
    """Return a line to be corrected: the record, and the place of the one that it replaces."""
    return orjson.dumps({LINK: str(place), **record}, option=orjson.OPT_APPEND_NEWLINE)


def _decoded(chosen: Sequence[Contents], registry: RegistryConnection) -> list[dict[str, Any] | None]:
    writers = KnownWriters(Registry(registry), TOUCHPOINTS)
    try:
        writers.learn(one.value for one in chosen)
    except Unavailable as error:
        click.echo(f"Not decoded. {error}", err=True)
    return [salvage(one.value, writers) for one in chosen]


def _print(one: Contents, record: dict[str, Any] | None, most: int) -> None:
    entry = one.entry
    out = console()
    out.print(f"{entry.place}   {entry.reason}   {entry.status}", style=STATUS_STYLES[entry.status])
    settled = f", {entry.status} {formatting.moment(entry.settled_at)} UTC" if entry.settled_at else ""
    facts = [
        ("refused", f"{formatting.moment(entry.rejected_at)} UTC{settled}"),
        ("where", f"{TOUCHPOINTS}, partition {entry.place.partition}, offset {entry.place.offset}; "
                  f"appended {formatting.moment(entry.appended_at)} UTC"),
        ("why", f"{REASONS.get(entry.reason, entry.reason)}: {formatting.printable(entry.detail)}"),
        ("mend", mend(entry.reason)),
        ("key", readable(one.key)),
        *[("header", f"{formatting.printable(name)}: {readable(said)}") for name, said in one.headers],
        ("value", "none (null)" if one.value is None else formatting.plural(len(one.value), "byte")),
    ]  # fmt: skip
    for label, text in facts:
        click.echo(f"  {label:<9}{text}")
    for row in hex_dump(one.value or b"", most, "--bytes shows more, --raw FILE keeps them all"):
        click.echo(f"    {row}")
    if record is not None:
        click.echo("  decoded")
        for line in decoded_lines(record):
            click.echo(f"    {line}")
        click.echo(
            f"  to correct it: pipeline quarantine show {entry.place} --jsonl > corrected.jsonl; edit the file;\n"
            "    pipeline quarantine replay --corrected corrected.jsonl"
        )
    elif one.value:
        click.echo("  decoded  not readable as a touchpoint")


def _print_lines(chosen: Sequence[Contents], decoded: Sequence[dict[str, Any] | None]) -> None:
    unreadable = []
    for one, record in zip(chosen, decoded, strict=True):
        if record is None:
            unreadable.append(str(one.entry.place))
        else:
            click.echo(line(one.entry.place, record), nl=False)
    if unreadable:
        raise PipelineError(f"Not readable as a touchpoint: {', '.join(unreadable)}")


def _plain(one: Contents, record: dict[str, Any] | None) -> dict[str, Any]:
    return {
        **plain(one.entry),
        "meaning": REASONS.get(one.entry.reason, ""),
        "mend": mend(one.entry.reason),
        "key_hex": None if one.key is None else one.key.hex(),
        "headers": [{"name": name, "value_hex": said.hex()} for name, said in one.headers],
        "raw_hex": None if one.value is None else one.value.hex(),
        "decoded": record,
    }


def _write(name: str, value: bytes | None) -> None:
    if value is None:
        raise PipelineError("The record has no value (a tombstone): there are no bytes to write.")
    if name == "-":
        click.get_binary_stream("stdout").write(value)
        return
    try:  # only the owner may read it
        with os.fdopen(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(value)
    except OSError as error:
        raise click.FileError(name, error.strerror or str(error)) from None
    click.echo(f"{formatting.plural(len(value), 'byte')} written to {name}", err=True)
