"""Namings go to the partitions of the keys that they name: to slices of the same batch where that is possible.

A touchpoint of a key that is named in the same batch then goes to the key's holder at once, without being in a journey
of the key itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pipeline.contract.partition import partitions_of
from pipeline.flow.exchange import Named
from pipeline.flow.values import AdmittedSlice
from pipeline.identity.naming import Naming
from pipeline.journey.admitted import Admitted


def namings_of(events: Iterable[Admitted]) -> dict[str, list[Naming]]:
    """Return what events say of each key that they name beside their own."""
    named: dict[str, list[Naming]] = {}
    for event in events:
        if event.naming is not None:
            keys, trust, source, event_id = event.naming
            naming = Naming(event.customer, trust, event.step.at, source, event_id)
            for key in keys:
                known = named.get(key)
                if known is None:
                    named[key] = [naming]
                else:
                    known.append(naming)
    return named


def tell_within(slices: Sequence[AdmittedSlice], others: Mapping[int, int], partitions: int) -> Sequence[AdmittedSlice]:
    """Return slices of one batch that have the namings among their events as messages, where they concern one of them.

    `others` are further partitions that can take part in the batch, with their next offsets: those that are told
    something get a slice, too. The topics have so many `partitions`. A slice's `untold` are those for partitions that
    don't take part.
    """
    named = {each.partition: namings_of(each.admitted) for each in slices}
    keys = list(dict.fromkeys([key for of_slice in named.values() for key in of_slice]))
    if not keys:
        return slices
    partition_of = dict(zip(keys, partitions_of([key.encode() for key in keys], partitions), strict=True))
    part = {**others, **{each.partition: each.next_offset for each in slices}}
    told: dict[int, dict[str, list[Naming]]] = {}
    untold: dict[int, dict[str, list[Naming]]] = {each.partition: {} for each in slices}
    for sender, of_slice in named.items():
        for key, namings in of_slice.items():
            number = partition_of[key]
            if number in part:
                told.setdefault(number, {}).setdefault(key, []).extend(namings)
            else:
                untold[sender][key] = namings
    messages = {number: [Named(*each) for each in of_keys.items()] for number, of_keys in told.items()}
    own = [
        each._replace(messages=[*each.messages, *messages.pop(each.partition, ())], untold=untold[each.partition])
        for each in slices
    ]
    return [*own, *[AdmittedSlice(number, part[number], messages=those) for number, those in messages.items()]]
