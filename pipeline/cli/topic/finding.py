"""`pipeline topic find`: records of touchpoints.v1 with a header, the latest first."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from typing import Any

import click

from pipeline import settings
from pipeline.cli import formatting
from pipeline.cli.output import Column, print_json, print_table
from pipeline.cli.quarantine.places import SinceType
from pipeline.cli.record_text import readable
from pipeline.cli.topic.showing import appended_at
from pipeline.client.topic_records import TopicRecords
from pipeline.topics import TOUCHPOINTS

_COLUMNS = (Column("record"), Column("appended (UTC)"), Column("header", folds=True))


@click.command()
@click.option("--header", required=True, metavar="NAME", help="Only records with this header.")
@click.option(
    "--since",
    type=SinceType(),
    required=True,
    help="Only those appended since this time: RFC 3339, or an age such as 30m, 12h, 7d.",
)
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="Maximum number of records shown.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def find(header: str, since: datetime, limit: int, as_json: bool) -> None:
    """Find records of touchpoints.v1 by a header; the latest come first.

    Records that a worker sent on with the right key have `pipeline-forwarded-from`: the PARTITION/OFFSET that they
    came from, which `pipeline topic show` shows. The whole topic since the time is read.
    """
    config = settings.load(needs=(settings.KAFKA,))
    records = TopicRecords(config.kafka, TOUCHPOINTS)
    found: deque[dict[str, Any]] = deque(maxlen=limit)
    number = 0
    try:
        for message in records.scan(round(since.timestamp() * 1000)):
            values = [value for name, value in message.headers() or () if name == header]
            if values:
                number += 1
                place = f"{message.partition()}/{message.offset()}"
                found.append(
                    {"record": place, "appended_at": appended_at(message), "header": ", ".join(map(readable, values))}
                )
    finally:
        records.close()
    latest = sorted(found, key=lambda each: each["appended_at"], reverse=True)
    if as_json:
        print_json({"records": number, "latest": latest})
        return
    if not latest:
        click.echo(f"No record since {formatting.moment(since)} UTC has the header {header}.")
        return
    rows = [[each["record"], formatting.moment(each["appended_at"]), each["header"]] for each in latest]
    print_table(_COLUMNS, rows)
    if number > len(latest):
        click.echo(f"\n{len(latest):,} of {number:,} records; --limit shows more.")
