"""`pipeline quarantine replay`."""

from __future__ import annotations

import click

from pipeline import settings
from pipeline.cli import formatting
from pipeline.cli.output import print_json
from pipeline.cli.quarantine.places import places_argument, reason_option
from pipeline.cli.quarantine.result import Result
from pipeline.cli.quarantine.selecting import check_places, confirm, count, selected
from pipeline.queries.connection import writing
from pipeline.queries.quarantine import Place

_NAMED = 10


@click.command()
@places_argument(required=False)
@click.option("--all", "everything", is_flag=True, help="All new ones.")
@reason_option("All new ones refused for this reason; can be repeated.")
@click.option(
    "--corrected",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="Publish these corrected JSON Lines instead (- is standard input).",
)
@click.option("--again", is_flag=True, help="Also records that were replayed or discarded before.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_context
def replay(
    context: click.Context,
    places: tuple[Place, ...],
    everything: bool,
    reasons: tuple[str, ...],
    corrected: str | None,
    again: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Put refused records back into touchpoints.v1: unchanged, or corrected.

    As they are, they get the customer's key where they can be read, and a header that says where they come from. What
    is still wrong comes back to quarantine.

    The lines of --corrected are those that `quarantine show --jsonl` prints, each of which names its record; or plain
    touchpoints, one for each PARTITION/OFFSET in the same order. They are checked as `publish` does; a bad one is
    named, its record stays, and the exit code is 2.

    A record counts as replayed once the broker has confirmed it, and is not sent again without --again.
    """
    config = settings.load()
    statuses = () if again else ("new",)
    if corrected is not None:
        if everything or reasons:
            raise click.UsageError("--corrected takes its records from the file, or as PARTITION/OFFSET.")
        from pipeline.cli.quarantine.corrected import replay_corrected

        result = replay_corrected(config, corrected, places, statuses)
    else:
        selection = selected(places, reasons, everything, statuses)
        with writing(config.database_url) as connection, connection.begin():
            entries = check_places(connection, places, hint="" if again else "; --again sends it once more")
            meant = count(connection, selection)
        if meant and not places:
            confirm(f"Replay {formatting.plural(meant, 'record')} as {'it is' if meant == 1 else 'they are'}?", yes)
        from pipeline.cli.quarantine.unchanged import replay_unchanged

        result = replay_unchanged(config, selection) if meant else Result()
        result.settled_already = len(entries) - meant if places else 0
    _report(result, as_json)
    context.exit(1 if result.undelivered else 2 if result.refused else 0)


def _report(result: Result, as_json: bool) -> None:
    for place, why in list(result.undelivered.items())[:_NAMED]:
        click.echo(f"{place} was not delivered: {why}", err=True)
    if len(result.undelivered) > _NAMED:
        click.echo(f"… and {len(result.undelivered) - _NAMED:,} more not delivered", err=True)
    if as_json:
        print_json(
            {
                "replayed": result.replayed,
                "settled_already": result.settled_already,
                "still_wrong": result.still_wrong,
                "undelivered": result.undelivered,
                "refused": result.refused,
            }
        )
        return
    click.echo(f"Replayed {formatting.plural(result.replayed, 'record')}.")
    if wrong := sum(result.still_wrong.values()):
        reasons = ", ".join(f"{reason} {number:,}" for reason, number in sorted(result.still_wrong.items()))
        click.echo(
            f"{wrong:,} of them {'is' if wrong == 1 else 'are'} still wrong and will come back to quarantine "
            f"({reasons}); correct them with --corrected, or discard them.",
            err=True,
        )
