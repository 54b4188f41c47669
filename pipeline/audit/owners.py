"""Gives each touchpoint its owner, in the workspace: who holds each key when, then from holder to holder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter

from pipeline.audit.identity.corrections import effective, survivors
from pipeline.audit.identity.records import Correction, IdentityRules, Naming
from pipeline.audit.identity.segments import Segment, segments
from pipeline.audit.workspace import Appender, Workspace
from pipeline.contract.partition import partition_of

#: The first and the last moment of the tables: the years 1 and 9999.
BEGINNING, END = -62_135_596_800_000, 253_402_300_799_999
#: Ranks of keys less one: the longest way from holder to holder, with one more for a merged customer.
_HOPS = 8


def find_owners(workspace: Workspace, corrections: Iterable[Correction], rules: IdentityRules, partitions: int) -> None:
    """Fill the tables `segment`, `joined` and `touchpoint` from `link`, `own_touchpoint` and corrections."""
    corrections = list(corrections)
    workspace.execute("INSERT INTO joined SELECT key FROM link UNION SELECT target FROM link")
    with Appender(workspace, "joined") as appender:
        for customer in {key for one in corrections for key in (*one.keys, one.other) if key}:
            appender.add((customer,))
    with Appender(workspace, "segment") as appender:
        for key, of_key in _segments(workspace, corrections, rules):
            untils = [*[(each.since or BEGINNING) - 1 for each in of_key[1:]], END]
            for each, until in zip(of_key, untils, strict=True):
                since = BEGINNING if each.since is None else each.since
                appender.add((key, since, until, each.holder, each.why))
    workspace.run("owners")
    for _ in range(_HOPS if workspace.one("SELECT count(*) FROM owned") else 0):
        workspace.execute(
            "CREATE OR REPLACE TABLE owned AS SELECT o.* REPLACE (coalesce(h.holder, o.id) AS id) "
            "FROM owned AS o ASOF LEFT JOIN held AS h ON o.id = h.id AND o.occurred_at >= h.since"
        )
    # What was final may have been decided by the order of arrival: it is left out.
    workspace.execute(
        "INSERT INTO unsettled SELECT DISTINCT c.customer FROM owned AS o JOIN customer AS c ON c.id = o.own "
        "WHERE o.occurred_at < (SELECT max(watermark) FROM found_position) - ?",
        [rules.final_after_ms],
    )
    owners = list(workspace.rows("SELECT DISTINCT c.id, c.customer FROM customer AS c JOIN owned USING (id)"))
    with Appender(workspace, "home") as appender:
        for owner, customer in owners:
            appender.add((owner, partition_of(customer.encode(), partitions)))
    workspace.run("owned")


def _segments(
    workspace: Workspace, corrections: Iterable[Correction], rules: IdentityRules
) -> Iterator[tuple[str, Sequence[Segment]]]:
    """Yield each key of which anything is known, and who holds it."""
    valid = effective(corrections)
    into = survivors(valid)
    for customer in into:
        yield customer, segments(customer, (), valid, rules, into)
    links = workspace.rows('SELECT key, target, trust, "at", source, event_id FROM link ORDER BY key')
    for key, of_key in groupby(links, itemgetter(0)):
        yield key, segments(key, [Naming(*link) for link in of_key], valid, rules, into)
