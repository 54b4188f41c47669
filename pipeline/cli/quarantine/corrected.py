"""Replays corrected records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import click

from pipeline.channels.hashing import with_hashes
from pipeline.channels.reading import json_object, lines, opened
from pipeline.cli import formatting
from pipeline.cli.quarantine.places import read_place
from pipeline.cli.quarantine.result import Result
from pipeline.cli.quarantine.selecting import check_places
from pipeline.cli.quarantine.showing import LINK
from pipeline.client.outgoing import Unpublishable
from pipeline.client.publisher import Publisher
from pipeline.contract.reject import Rejected
from pipeline.contract.text import from_record
from pipeline.errors import InvalidInput
from pipeline.journey import policy
from pipeline.queries.connection import writing
from pipeline.queries.quarantine import Place, Selection, claimed, mark_replayed
from pipeline.settings import Settings
from pipeline.touchpoint import Touchpoint


class Corrected(NamedTuple):
    """A line of the file: the touchpoint, or why it is refused, and the record that it replaces."""

    number: int
    place: Place
    touchpoint: Touchpoint | Rejected


def replay_corrected(settings: Settings, name: str, places: Sequence[Place], statuses: Sequence[str]) -> Result:
    """Publish the file's touchpoints, and mark the records whose lines were all published and confirmed.

    Raises InvalidInput, before anything is published, when it isn't clear which record a line is for.
    """
    corrected = read(name, places)
    wanted = list(dict.fromkeys(line.place for line in corrected))
    result = Result()
    nobody = policy.read(settings.policy_file).identity.nobody
    with writing(settings.database_url) as connection:
        with connection.begin():
            check_places(connection, wanted, hint="; --again sends it once more" if statuses else "")
        with connection.begin(), Publisher(settings.kafka, settings.registry, nobody=nobody) as publisher:
            selection = Selection(places=wanted, statuses=statuses)
            open_ = {one.entry.place for one in claimed(connection, selection, Place(-1, -1), len(wanted))}
            refused = set()
            for line in corrected:
                if line.place in open_ and (wrong := _publish(publisher, line.touchpoint)) is not None:
                    refused.add(line.place)
                    result.refused += 1
                    click.echo(f"{name}:{line.number}: {wrong.detail} ({wrong.reason})", err=True)
            publisher.flush()
            result.replayed = mark_replayed(connection, open_ - refused)
            result.settled_already = len(wanted) - len(open_)
    return result


def read(name: str, places: Sequence[Place]) -> list[Corrected]:
    """Return the file's lines, each with its record: the one that the line names, or else the next of `places`."""
    corrected = []
    with opened(name) as (file, _):
        for index, line in enumerate(lines(file)):
            place = places[index] if index < len(places) else None
            record = json_object(line)
            link = None if isinstance(record, Rejected) else record.pop(LINK, None)
            if link is not None:
                place = _linked(link, place, f"{name}:{line.number}")
            if place is None:
                raise InvalidInput(
                    f"{name}:{line.number}: the line does not name its record. Keep the field {LINK!r} that "
                    "`pipeline quarantine show --jsonl` puts into the line, or name a PARTITION/OFFSET for each line."
                )
            corrected.append(
                Corrected(line.number, place, record if isinstance(record, Rejected) else _touchpoint(record))
            )
    if not corrected:
        raise InvalidInput(f"{name} has no lines.")
    if places and len(places) != len(corrected):
        raise InvalidInput(
            f"{name} has {formatting.plural(len(corrected), 'line')} for {formatting.plural(len(places), 'record')}."
        )
    return corrected


def _touchpoint(record: dict[str, Any]) -> Touchpoint | Rejected:
    touchpoint = from_record(record)
    return touchpoint if isinstance(touchpoint, Rejected) else with_hashes(touchpoint)


def _linked(link: object, given: Place | None, where: str) -> Place:
    place = read_place(str(link))
    if place is None:
        raise InvalidInput(f"{where}: {LINK} is not PARTITION/OFFSET")
    if given is not None and given != place:
        raise InvalidInput(f"{where}: the line is for {place}, not for {given}")
    return place


def _publish(publisher: Publisher, touchpoint: Touchpoint | Rejected) -> Rejected | None:
    if isinstance(touchpoint, Rejected):
        return touchpoint
    try:
        publisher.publish(touchpoint)
    except Unpublishable as refused:
        return refused.rejected
    return None
