"""`pipeline customer`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from pipeline import settings
from pipeline.cli import formatting
from pipeline.cli import journeys as view
from pipeline.cli.at_risk import STYLES as BAND_STYLES
from pipeline.cli.customer_key import FORMS, find
from pipeline.cli.output import console, print_json, print_table
from pipeline.queries import identity
from pipeline.queries.connection import reading
from pipeline.queries.customers import ChurnView, JourneyView, Profile, SatisfactionView, profile
from pipeline.queries.expected import ExpectedContact

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

#: Up to these widths of the 95 % interval, in points, a satisfaction counts as …
SURENESS = ((20, "well known"), (40, "roughly known"), (100, "little known"))

#: Number of keys by which a customer is known that are shown.
_KEYS_SHOWN = 10


@click.command(help=f"Show one customer: journeys across channels, satisfaction, churn risk and why.\n\n{FORMS}")
@click.argument("key")
@click.option(
    "--journeys",
    type=click.IntRange(0),
    default=10,
    show_default=True,
    help="Number of journeys shown, the latest first.",
)
@click.option(
    "--steps", type=click.IntRange(1), default=30, show_default=True, help="Maximum number of lines for a journey."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with all kept steps.")
def customer(key: str, journeys: int, steps: int, as_json: bool) -> None:
    """Show one customer."""
    with reading(settings.load(needs=settings.READER).database_url) as connection:
        name = find(connection, key)
        shown = profile(connection, name, datetime.now(UTC), journeys)
        known_by = identity.links(connection, name)
    assert shown is not None  # find() has just seen one, in the same moment of the tables
    if as_json:
        print_json({**shown._asdict(), "known_by": [each._asdict() for each in known_by]})
        return
    show(shown, steps)
    if known_by:
        click.echo(f"\nKnown by {formatting.plural(len(known_by), 'key')} besides (`pipeline identity links` has more)")
        for each in known_by[:_KEYS_SHOWN]:
            click.echo(formatting.printable(f"  {each.key}  {each.why}, {each.source} {each.event_id}"))


def show(view: Profile, steps: int) -> None:
    """Print a customer for people."""
    out = console()
    _line(out, formatting.printable(view.customer), "bold")
    for label, text, style in summary(view):
        _line(out, f"  {label:<14}{text}", style)
    if view.churn_risk:
        for reason in view.churn_risk.reasons:
            _line(out, f"  {'':<14}· {reason.text}", "")
    if view.journeys:
        of = "" if len(view.journeys) == view.journey_count else f", {len(view.journeys)} of {view.journey_count:,}"
        _line(out, f"\nJourneys, the latest first{of} (times in UTC)", "bold")
    for journey in view.journeys:
        out.print()
        show_journey(out, journey, steps)


def show_journey(out: Console, journey: JourneyView, steps: int) -> None:
    """Print one journey: its heading, and up to `steps` lines of steps."""
    _line(out, view.heading(journey), "underline")
    print_table(view.COLUMNS, view.rows(journey, steps), header=False, indent=2)


def summary(view: Profile) -> list[tuple[str, str, str]]:
    """Return what is known on the whole: label, text, style."""
    channels = ", ".join(f"{channel} {count:,}" for channel, count in view.channels.items())
    first, last = (formatting.moment(at, seconds=False) for at in (view.first_seen_at, view.last_seen_at))
    seen = f"{first} to {last}"
    risk = view.churn_risk
    return [
        ("seen", f"{seen} UTC, last {formatting.ago(view.last_seen_at, view.as_of)}", ""),
        (
            "touchpoints",
            f"{view.touchpoints:,} in {formatting.plural(view.journey_count, 'journey')}: {channels}",
            "",
        ),
        ("satisfaction", _satisfaction(view.satisfaction), ""),
        *[("expected", expected(each), "") for each in view.expected],
        ("churn risk", _risk(risk), BAND_STYLES[risk.band] if risk else ""),
    ]


def expected(contact: ExpectedContact) -> str:
    """Return what is expected of a contact that nobody answered."""
    outcome = "" if contact.outcome == "none" else f", {contact.outcome}"
    at = formatting.moment(contact.at, seconds=False)
    return (
        f"{contact.expected:.0f} of 100 of {contact.touchpoint} on {at}{outcome}: not answered, expected from waits, "
        "failures and the like"
    )


def sureness(low: float, high: float) -> str:
    """Return how well a satisfaction is known, by the width of its interval."""
    return next(word for width, word in SURENESS if high - low <= width)


def _satisfaction(known: SatisfactionView | None) -> str:
    if known is None:
        return "unknown: no answer to any survey yet"
    return (
        f"{known.score:.0f} of 100, {sureness(known.low, known.high)}: {known.low:.0f} to {known.high:.0f} with 95 %; "
        f"{known.own_weight * 100:.0f} % of it rests on {formatting.plural(known.answered, 'answer')} of their own "
        f"(the last on {formatting.moment(known.last_answer_at)[:10]}), the rest on what is usual"
    )


def _risk(known: ChurnView | None) -> str:
    if known is None:
        return "unknown: the customer has not begun any contact yet"
    return f"{known.band}: {formatting.share(known.probability)} not to come again within {known.horizon_days} days"


def _line(out: Console, text: str, style: str) -> None:
    out.print(_styled(text, style), soft_wrap=True)


def _styled(text: str, style: str) -> Text:
    from rich.text import Text

    return Text(text, style=style)
