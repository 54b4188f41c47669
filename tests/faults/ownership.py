"""What has to hold of who is who: whose touchpoints are, and what partitions have told each other."""

from __future__ import annotations

from bisect import bisect
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from faults.world import Kept, Ownership, Told, Transfer, World
from pipeline.touchpoint import KEY_TYPES, rank

#: How long before its append a record of identities.v1 may have been made.
_MADE_MS = 60_000


def each_touchpoint_is_in_one_journey_of_its_owner(world: World) -> Iterator[str]:
    """And counts once: of copies of one event that an owner has by several keys, the strongest is in the journey."""
    processed = sum(position.processed for position in world.positions)
    if processed != len(world.touchpoints):
        yield f"{len(world.touchpoints):,} touchpoints were accepted, and {processed:,} processed"
    places: dict[Told, list[Kept]] = defaultdict(list)
    of_event: dict[tuple[str, bytes], list[Kept]] = defaultdict(list)
    for kept in world.kept:
        places[kept.told].append(kept)
        of_event[kept.customer, kept.told.event_key].append(kept)
    for told in sorted(world.touchpoints | places.keys()):
        if told not in world.touchpoints:
            yield f"{_named(told)} is with {places[told][0].customer}, and was not accepted"
        elif len(places[told]) != 1:
            yield f"{_named(told)} is in {len(places[told])} places: {', '.join(p.customer for p in places[told])}"
        elif (customer := places[told][0].customer) != (owner := _owner(told, world.owners)):
            yield f"{_named(told)} is {owner}'s, and with {customer}"
    for (customer, _), copies in of_event.items():
        shown = [copy.told.own for copy in copies if copy.place == "journey"]
        strongest = min((copy.told.own for copy in copies), key=lambda own: (rank(own), own))
        if shown != [strongest]:
            yield f"{_named(copies[0].told)}: of its copies with {customer} that of {strongest} counts, not {shown}"


def what_keys_have_given_is_at_the_holders(world: World) -> Iterator[str]:
    """What keys have given by their tables, and not taken back, is what holders have got by theirs."""
    # What a key has got is in a journey, is a copy, or has gone on to whoever holds that key.
    there = {Transfer(kept.customer, kept.sender, kept.told) for kept in world.kept if kept.sender}
    gone_on = {(transfer.sender, transfer.told) for transfer in world.transferred}
    for transfer in sorted(world.transferred - there):
        if (transfer.holder, transfer.told) not in gone_on:
            yield f"{_passed(transfer)}, where it is not"
    for transfer in sorted(there - world.transferred):
        yield f"{_passed(transfer)} by the holder's tables, and not by the sender's"


def identities_tell_who_holds_each_key(world: World) -> Iterator[str]:
    """The last record of each key on identities.v1 is the row that held when it was made."""
    latest = {each.key: each for each in sorted(world.identities, key=lambda each: (each.partition, each.offset))}
    for key in sorted(latest.keys() | world.owners.keys()):
        if key not in latest:
            yield f"identity_owner has {key}, and identities.v1 does not"
        elif key not in world.owners:
            yield f"identities.v1 has {key}, and identity_owner does not"
        else:
            rows, at = world.owners[key], latest[key].at
            if latest[key].says not in (_row_at(rows, at), _row_at(rows, at - _MADE_MS)):
                yield f"{key}: identities.v1 says {latest[key].says}, the table {_row_at(rows, at)}"


def what_has_ended_stays_so(world: World) -> Iterator[str]:
    """A journey that was merged or has moved is empty, and no revision comes after that."""
    ended: dict[str, str] = {}
    for told in sorted(world.journeys, key=lambda told: (told.partition, told.offset)):
        if told.journey_id in ended:
            yield f"journey {told.journey_id}: revision {told.revision} comes after it was {ended[told.journey_id]}"
        if told.status in ("merged", "moved"):
            ended[told.journey_id] = told.status
            if told.touchpoints:
                yield f"journey {told.journey_id} is {told.status}, and has {told.touchpoints} touchpoints"


def _owner(told: Told, owners: Mapping[str, Sequence[Ownership]]) -> str:
    """From holder to holder, as far as there is one; there are no more than ranks, and one for a merged customer."""
    key = told.own
    for _ in range(len(KEY_TYPES) + 1):
        holder = _row_at(owners.get(key, ()), told.at)
        if holder is None or holder.owner == key:
            return key
        key = holder.owner
    return f"{key} (and so on)"


def _row_at(rows: Sequence[Ownership], at: int) -> Ownership | None:
    place = bisect(rows, at, key=lambda row: row.since) - 1
    return rows[place] if place >= 0 and at <= rows[place].until else None


def _named(told: Told) -> str:
    return f"{told.own} at {told.at} ({told.event_key.hex()})"


def _passed(transfer: Transfer) -> str:
    return f"{_named(transfer.told)} from {transfer.sender} to {transfer.holder}"
