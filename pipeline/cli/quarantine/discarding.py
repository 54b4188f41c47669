"""`pipeline quarantine discard`."""

from __future__ import annotations

import click

from pipeline import settings
from pipeline.cli import words
from pipeline.cli.quarantine.places import places_argument, reason_option
from pipeline.cli.quarantine.selecting import check_places, confirm, count, selected
from pipeline.ledger import quarantine as ledger
from pipeline.ledger.quarantine import Place
from pipeline.ledger.reading import writing


@click.command()
@places_argument(required=False)
@click.option("--all", "everything", is_flag=True, help="All that are new.")
@reason_option("All new ones refused for this; several times for several.")
@click.option("--yes", is_flag=True, help="Don't ask.")
def discard(places: tuple[Place, ...], everything: bool, reasons: tuple[str, ...], yes: bool) -> None:
    """Mark refused records as not to be replayed. They stay in quarantine; `replay --again` still finds them."""
    selection = selected(places, reasons, everything, ("new",))
    with writing(settings.load().database_url) as connection:
        with connection.begin():
            check_places(connection, places, hint="")
            meant = count(connection, selection)
        if meant and not places:
            confirm(f"Discard {words.plural(meant, 'record')}?", yes)
        with connection.begin():
            done = ledger.discard(connection, selection)
    settled = len(set(places)) - done if places else 0
    click.echo(f"Discarded {words.plural(done, 'record')}." + (f" {settled:,} settled already." if settled else ""))
