"""`pipeline quarantine discard`."""

from __future__ import annotations

import click

from pipeline import settings
from pipeline.cli import formatting
from pipeline.cli.quarantine.places import places_argument, reason_option
from pipeline.cli.quarantine.selecting import check_places, confirm, count, selected
from pipeline.queries import quarantine
from pipeline.queries.connection import writing
from pipeline.queries.quarantine import Place


@click.command()
@places_argument(required=False)
@click.option("--all", "everything", is_flag=True, help="All new ones.")
@reason_option("All new ones refused for this reason; can be repeated.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
def discard(places: tuple[Place, ...], everything: bool, reasons: tuple[str, ...], yes: bool) -> None:
    """Mark refused records as not to be replayed. They stay in quarantine; `replay --again` still finds them."""
    selection = selected(places, reasons, everything, ("new",))
    with writing(settings.load(needs=settings.READER).database_url) as connection:
        with connection.begin():
            check_places(connection, places, hint="")
            meant = count(connection, selection)
        if meant and not places:
            confirm(f"Discard {formatting.plural(meant, 'record')}?", yes)
        with connection.begin():
            done = quarantine.discard(connection, selection)
    settled = len(set(places)) - done if places else 0
    click.echo(
        f"Discarded {formatting.plural(done, 'record')}." + (f" {settled:,} settled already." if settled else "")
    )
