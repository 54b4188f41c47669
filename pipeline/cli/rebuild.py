"""`pipeline rebuild`: empties the tables, so that workers make them anew from the topic."""

from __future__ import annotations

import click
from sqlalchemy import text

from pipeline import settings
from pipeline.cases.row import CASE
from pipeline.cli.formatting import moment, plural
from pipeline.cli.running_workers import refuse_running_workers
from pipeline.client.topic_records import TopicRecords
from pipeline.flow.feedback import FEEDBACK, VERBATIM
from pipeline.flow.identity_rows import TABLES
from pipeline.ledger.ledger_id import renew_ledger_id
from pipeline.ledger.moments import moment as from_ms
from pipeline.queries.connection import writing
from pipeline.scores.registry import SCORES
from pipeline.topics import TOUCHPOINTS

_TABLES = (
    "journey", CASE.name, "touchpoint_count", FEEDBACK.name, VERBATIM.name, "quarantine", "outbox", "position",
    *[table.name for table in TABLES],
)  # fmt: skip


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
def rebuild(yes: bool) -> None:
    """Empty the tables, so that workers make them anew from what the topic holds.

    For another policy, other parameters of a model, or after a loss. What is older than the topic's beginning is gone
    afterwards; how much that is, is said first. All workers must be stopped.
    """
    config = settings.load(needs=(settings.KAFKA, settings.DATABASE))
    refuse_running_workers(config.kafka, config.group, "would go on with what they know")
    records = TopicRecords(config.kafka, TOUCHPOINTS)
    try:
        bounds = records.bounds()
        first = {number: records.read(number, low) for number, (low, end) in bounds.items() if 0 < low < end}
    finally:
        records.close()
    expired = {number: low for number, (low, _) in bounds.items() if low > 0}
    for number, low in expired.items():
        message = first.get(number)
        begins = f", which was appended {moment(from_ms(message.timestamp()[1]))} UTC" if message is not None else ""
        click.echo(
            f"Warning: partition {number} of {TOUCHPOINTS} begins at offset {low:,}{begins}. What came before can't be "
            "made anew.",
            err=True,
        )
    with writing(config.database_url) as connection:
        journeys = int(connection.execute(text("SELECT count(*) FROM journey")).scalar_one())
        held = sum(end - low for low, end in bounds.values())
        gone = f"and no longer the {sum(expired.values()):,} offsets before them" if expired else "all there were"
        click.echo(f"The tables hold {plural(journeys, 'journey')}. The topic holds {plural(held, 'record')}, {gone}.")
        if not yes:
            click.confirm("Empty the tables?", abort=True, err=True)
        connection.execute(text(f"TRUNCATE {', '.join([*_TABLES, *(score.table.name for score in SCORES)])}"))
        renew_ledger_id(connection)
        connection.commit()
    click.echo("The tables are empty. Start the workers; revisions begin at 1, so tell those who consume journeys.")
