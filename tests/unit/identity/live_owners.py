"""Whose each of some touchpoints is, by the live pipeline: records through the whole flow into a ledger in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from hashlib import sha256
from random import Random

from batch_owners import Event
from network import Network
from worker_in_memory import slice_of

from pipeline.contract.identifiers import PERSONAL
from pipeline.journey.step import event_key
from pipeline.touchpoint import CORRECTION_KINDS, Touchpoint, own_key

_DAY_MS = 86_400_000
_MOST = 100


class LiveNetwork(Network):
    """All partitions, and a worker that gets records as Kafka has them."""

    async def publish(self, touchpoints: Sequence[Touchpoint]) -> None:
        """Process touchpoints one after the other, and all that follows from each."""
        self.it.clock_ms = max(each.occurred_at for each in touchpoints) + _DAY_MS
        await self.it.take(*range(self.partitions))
        for each in touchpoints:
            number = self._home(own_key(each) or "")
            begin = self.it.worker.assigned[number].state.next_offset
            await self.it.worker._slices.process_round([slice_of(number, begin, [each])])
            await self._settle()

    async def _settle(self) -> None:
        """Let partitions tell each other what they have to, and restate, until nothing is left to do."""
        partitions = self.it.worker.assigned
        while True:
            await self._deliver()
            told = [
                number
                for number, records in self.exchanged.items()
                if partitions[number].state.next_exchange_offset < len(records)
            ]
            for number in told:
                await self._exchange(number, _MOST)
            restated = any(partitions[number].state.restatements for number in self.exchanged)
            if restated:
                await self.it.worker._committer.restate(self.it.clock_ms, 0.0)
            undelivered = bool(self.it.worker._outbox.undelivered)
            await self.it.worker._committer.deliver(self.it.clock_ms)
            if not told and not restated and not undelivered:
                return


def live_owners_of(events: Sequence[Event]) -> list[str | None]:
    """Return the owner of each event; None for a correction. Trust is the catalogue's."""
    network = LiveNetwork(Random(1))
    sent = [hashed(event.touchpoint) for event in events]
    asyncio.run(network.publish(sent))
    assert not network.it.ledger.quarantine
    owned = network.owners()
    plain = {
        f"{hash.type}:{hash.value}": f"{clear.type}:{clear.value}"
        for event, each in zip(events, sent, strict=True)
        for clear, hash in zip(event.touchpoint.identifiers, each.identifiers, strict=True)
    }
    owners = [_owner(owned, each) for each in sent]
    return [None if owner is None else plain.get(owner, owner) for owner in owners]


def hashed(touchpoint: Touchpoint) -> Touchpoint:
    """Return a touchpoint with hashes in place of addresses and numbers, as only those are accepted."""
    return touchpoint._replace(
        identifiers=tuple(
            each._replace(value=sha256(each.value.encode()).hexdigest()) if each.type in PERSONAL else each
            for each in touchpoint.identifiers
        )
    )


def _owner(owned: dict[bytes, dict[str, str]], touchpoint: Touchpoint) -> str | None:
    if touchpoint.kind in CORRECTION_KINDS:
        return None
    [owner] = owned[event_key(touchpoint.source, touchpoint.event_id, touchpoint.occurred_at)].values()
    return owner
