"""The demonstration's report for people."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import make_url

from pipeline.cli import at_risk, formatting, joined_journey, journeys, touchpoints
from pipeline.cli.output import Cell, Column, console, print_table
from pipeline.demo.findings import Findings
from pipeline.queries.abandonment import AbandonmentPoint, NextTouchpoint
from pipeline.queries.identity_totals import IdentityTotals
from pipeline.queries.joined_journeys import JoinedJourney
from pipeline.queries.totals import Totals
from pipeline.settings import Settings
from pipeline.topics import CASES, CHURN_RISK, DEAD_LETTERS, IDENTITIES, JOURNEYS, SATISFACTION, TOUCHPOINTS

if TYPE_CHECKING:
    from rich.console import Console

_INDENT = 2
_BAR = 40
_STEPS = 20
_NEXT = 3
#: The columns of `pipeline touchpoints` that are shown.
_TOUCHPOINT_COLUMNS = (
    "channel",
    "kind",
    "volume",
    "satisfied",
    "95 %",
    "failed",
    "given up",
    "mean wait",
    "bad ≥",
)


def show(findings: Findings) -> None:
    """Print the results."""
    out = console()
    _overview(out, findings.totals)
    if findings.journey is not None and findings.customer is not None:
        _title(
            out,
            f"One journey across {formatting.plural(len(findings.journey.channels), 'channel')}: {findings.customer}",
        )
        _say(out, f"{journeys.heading(findings.journey)}. Times in UTC.")
        print_table(journeys.COLUMNS, journeys.rows(findings.journey, _STEPS), header=False, indent=_INDENT)
    _title(out, "Touchpoints that hurt")
    _say(out, "Sorted by the least number of contacts that went badly: not satisfied, failed or abandoned.")
    _touchpoints(findings)
    _title(out, "Where customers give up, and what they do next")
    _show_abandonment(findings.abandonment)
    _title(out, "Customers about to be lost")
    _say(
        out, f"{at_risk.summary(findings.bands)}. Of those known by number, these came often and may still be won back:"
    )
    print_table(at_risk.COLUMNS, at_risk.rows(findings.at_risk, findings.as_of), indent=_INDENT)
    _title(out, "Refused records")
    if findings.refused:
        _say(out, "In quarantine, with their bytes, until somebody corrects, replays or discards them:")
        columns = (Column("record"), Column("reason"), Column("why", folds=True))
        print_table(columns, [(str(one.place), one.reason, one.detail) for one in findings.refused], indent=_INDENT)
    else:
        _say(out, "None.")
    _title(out, "Who is who")
    _who_is_who(out, findings.identity)
    if findings.joined is not None:
        _joined(out, findings.joined)


def show_ways_on(findings: Findings, settings: Settings, folder: Path, command: str, psql: Path | None) -> None:
    """Print further commands and places, and how to stop; `command` is how `pipeline` is called here."""
    out = console()
    customer = findings.joined.customer if findings.joined else findings.customer or "KEY"
    key = joined_journey.example_key(findings.joined) if findings.joined else "KEY"
    refused = str(findings.refused[0].place) if findings.refused else "PARTITION/OFFSET"
    ways = [
        (f"{command} customer {customer}", "all journeys, satisfaction and churn risk of a customer"),
        (f"{command} identity show {key}", "whose a key is, since when, and which events say so"),
        (f"{command} identity shared", "keys that too many use to be anybody's"),
        (f"{command} touchpoints --stage during", "every touchpoint, here those of the purchase"),
        (f"{command} at-risk --named --limit 50", "more customers at risk"),
        (f"{command} quarantine show {refused}", "why a record was refused, its bytes, and how to mend it"),
        (f"{command} worker", "continue to process; its metrics: "
                            f"http://{settings.metrics_host}:{settings.metrics_port}/metrics"),
        (f"{command} simulate --rate 200", "while it runs, more touchpoints"),
    ]  # fmt: skip
    _title(out, "Look on" if folder == Path.cwd() else f"Look on, in {folder}")
    print_table((Column("command"), Column("what")), ways, header=False, indent=_INDENT)
    env = folder / ".pipeline" / "env"
    database = make_url(settings.database_url)
    # The password comes from a file: on the command line, everybody could read it.
    psql_command = (
        f"PGPASSFILE={folder / '.pipeline' / 'pgpass'} {psql or 'psql'} -h {database.host} -p {database.port} "
        f"-U {database.username} {database.database}"
    )
    places = [
        ("tables", psql_command),
        ("topics", f"{', '.join((TOUCHPOINTS, JOURNEYS, CASES, IDENTITIES, SATISFACTION, CHURN_RISK, DEAD_LETTERS))} "
                   f"at {settings.kafka}"),
        ("schemas", f"{settings.registry.url}/subjects"),
        ("settings", f"{env} (with the database's password; commands run in {folder} find it by themselves)"),
    ]  # fmt: skip
    out.print()
    for label, text in places:
        out.print(f"  {label:<10}{text}", soft_wrap=True)
    _title(out, "Stop")
    _say(out, f"Kafka, the schema registry and Postgres go on running until `{command} down`, which keeps their data")
    _say(out, f"(`{command} down --delete` removes it, too). Another `{command} demo` adds other customers.")


def following(given: AbandonmentPoint) -> str:
    """Return what customers do next, in words: the most frequent with their shares."""
    return ", ".join(f"{formatting.share(one.times / given.times)} {_next(one)}" for one in _merged(given.next)[:_NEXT])


def _next(one: NextTouchpoint) -> str:
    return "nothing more" if one.kind is None else f"{one.channel} {one.kind}"


def _merged(following: Sequence[NextTouchpoint]) -> list[NextTouchpoint]:
    """Merge views of pages and of products into one."""
    times: dict[tuple[str | None, str | None], int] = {}
    for one in following:
        browsing = one.channel == "web" and one.kind in ("page_viewed", "product_viewed", "search_performed")
        key = (one.channel, "browsing" if browsing else one.kind)
        times[key] = times.get(key, 0) + one.times
    made = [NextTouchpoint(channel, kind, count) for (channel, kind), count in times.items()]
    return sorted(made, key=lambda one: -one.times)


def _overview(out: Console, known: Totals) -> None:
    channels = len(known.channels)
    _title(
        out,
        f"{formatting.plural(known.processed, 'touchpoint')} on {formatting.plural(channels, 'channel')} became "
        f"{formatting.plural(known.journeys, 'journey')} of {formatting.plural(known.customers, 'customer')}",
    )
    crossing = formatting.share(known.crossing / known.journeys) if known.journeys else "0 %"
    _say(
        out,
        f"{known.crossing:,} journeys ({crossing}) cross channels; {known.open:,} may still go on. "
        f"{known.duplicates:,} touchpoints came twice and count once; {known.quarantined:,} records were refused.",
    )
    most = max(known.channels.values(), default=1)
    rows = [
        (name, f"{count:,}", Cell("█" * round(count / most * _BAR), "cyan")) for name, count in known.channels.items()
    ]
    print_table((Column("channel"), Column("touchpoints", right=True), Column("")), rows, indent=_INDENT)


def _who_is_who(out: Console, known: IdentityTotals) -> None:
    plural = formatting.plural
    _say(
        out,
        f"{plural(known.joined, 'key')} (cookies, addresses, numbers, cards) joined with their customers; "
        f"{plural(known.merged, 'customer')} merged with another account of theirs; "
        f"{plural(known.shared, 'shared key')} kept apart.",
    )
    _say(out, f"{plural(known.touchpoints, 'touchpoint')} came without the customer's number, and are the customer's.")


def _joined(out: Console, found: JoinedJourney) -> None:
    channels = formatting.plural(len(found.journey.channels), "channel")
    _title(out, f"One journey across {channels}, no two of which used the same key: {found.customer}")
    _say(out, f"{journeys.heading(found.journey)}. Times in UTC.")
    print_table(joined_journey.COLUMNS, joined_journey.rows(found), indent=_INDENT)


def _touchpoints(findings: Findings) -> None:
    titles = [column.title for column in touchpoints.COLUMNS]
    wanted = [titles.index(title) for title in _TOUCHPOINT_COLUMNS]
    rows = touchpoints.rows(findings.touchpoints)
    cells = [[row[i] for i in wanted] for row in rows]
    print_table([touchpoints.COLUMNS[i] for i in wanted], cells, indent=_INDENT)


def _show_abandonment(points: Sequence[AbandonmentPoint]) -> None:
    columns = (
        Column("channel"), Column("kind"), Column("times", right=True), Column("after waiting", right=True),
        Column("next", folds=True),
    )  # fmt: skip
    print_table(
        columns,
        [
            (
                one.channel,
                one.kind,
                f"{one.times:,}",
                "" if one.wait_ms_mean is None else formatting.span(one.wait_ms_mean),
                following(one),
            )
            for one in points
        ],
        indent=_INDENT,
    )


def _title(out: Console, text: str) -> None:
    out.print()
    out.print(formatting.printable(text), style="bold", soft_wrap=True)


def _say(out: Console, text: str) -> None:
    out.print(f"  {formatting.printable(text)}", soft_wrap=True)
